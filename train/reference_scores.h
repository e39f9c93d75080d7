// What the reference says of every row of a data set: log-probabilities of its answers, found once and kept for later epochs.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace temper {

enum class ReferenceKind : std::uint8_t {
    none,     // the loss compares with nothing
    frozen,   // the model without its adapter: scored in the policy's own pass
    adapter,  // an adapter that stays as it is: scored in a pass of its own
};

struct ReferenceScores {
    ReferenceKind kind = ReferenceKind::none;
    std::vector<float> parameters;  // of ReferenceKind::adapter
    std::string identity;           // of these, with their scales
    std::vector<double> values;     // two a row; NaN: not scored yet

    ReferenceScores(ReferenceKind k, std::int64_t rows)
        : kind(k), values(k == ReferenceKind::none ? 0 : static_cast<std::size_t>(2 * rows), std::numeric_limits<double>::quiet_NaN()) {}
    bool known(std::int64_t row) const { return !std::isnan(values[static_cast<std::size_t>(2 * row)]); }
    double of(std::int64_t row, int answer) const { return values[static_cast<std::size_t>(2 * row + answer)]; }
    void set(std::int64_t row, int answer, double value) { values[static_cast<std::size_t>(2 * row + answer)] = value; }
};

}  // namespace temper
