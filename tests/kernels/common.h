// What the tests of kernels/ share: numbers in either dtype behind a View, deterministic random values, the instruction sets of this machine.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/stream.h"
#include "kernels/tensor.h"
#include "tests/kernels/device.h"

namespace temper::test {

// Instruction sets that a test of the bfloat16 kernels goes through.
std::vector<Isa> all_isas();
// Those of them that run here; the others are named in the log once.
const std::vector<Isa>& isas();

inline float quiet_nan() { return std::numeric_limits<float>::quiet_NaN(); }

// Uniform in [-1, 1), by splitmix64: the same on every machine.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    float uniform() {
        state_ += 0x9e3779b97f4a7c15u;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return static_cast<float>(static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-52 - 1.0);
    }

  private:
    std::uint64_t state_;
};

// (rows, columns) numbers of a dtype, rows `stride` apart; what lies between rows is NaN, as is everything until it is set.
class Numbers {
  public:
    Numbers(DType dtype, std::int64_t rows, std::int64_t columns, std::int64_t stride = 0)
        : dtype_(dtype), rows_(rows), columns_(columns), stride_(stride == 0 ? columns : stride) {
        const auto count = static_cast<std::size_t>(rows_ * stride_);
        if (dtype_ == DType::bf16) half_.assign(count, to_bf16(quiet_nan()));
        else full_.assign(count, quiet_nan());
    }

    View view() {
        note_op();
        View v(dtype_ == DType::bf16 ? static_cast<void*>(half_.data()) : static_cast<void*>(full_.data()), dtype_, {rows_, columns_}, kDevice);
        v.stride[0] = stride_;
        return v;
    }
    // (rows, heads, columns / heads)
    View heads(std::int64_t count) {
        View v(view().data, dtype_, {rows_, count, columns_ / count}, kDevice);
        v.stride[0] = stride_;
        return v;
    }
    View flat() { return View(view().data, dtype_, {rows_ * columns_}, kDevice); }

    std::int64_t rows() const { return rows_; }
    std::int64_t columns() const { return columns_; }
    float at(std::int64_t row, std::int64_t column) const {
        synchronize();
        const auto i = static_cast<std::size_t>(row * stride_ + column);
        return dtype_ == DType::bf16 ? from_bf16(half_[i]) : full_[i];
    }
    void set(std::int64_t row, std::int64_t column, float value) {
        synchronize();
        const auto i = static_cast<std::size_t>(row * stride_ + column);
        if (dtype_ == DType::bf16) half_[i] = to_bf16(value);
        else full_[i] = value;
    }
    Numbers& random(Random& source, float scale = 1.0f) {
        for (std::int64_t r = 0; r < rows_; ++r)
            for (std::int64_t c = 0; c < columns_; ++c) set(r, c, scale * source.uniform());
        return *this;
    }
    Numbers& fill(float value) {
        for (std::int64_t r = 0; r < rows_; ++r)
            for (std::int64_t c = 0; c < columns_; ++c) set(r, c, value);
        return *this;
    }
    // Bits of one number; NaN and signed zeros count.
    std::uint32_t bits(std::int64_t row, std::int64_t column) const { return std::bit_cast<std::uint32_t>(at(row, column)); }
    bool row_equals(std::int64_t row, const Numbers& other, std::int64_t other_row) const {
        for (std::int64_t c = 0; c < columns_; ++c)
            if (bits(row, c) != other.bits(other_row, c)) return false;
        return true;
    }
    bool operator==(const Numbers& other) const {
        for (std::int64_t r = 0; r < rows_; ++r)
            if (!row_equals(r, other, r)) return false;
        return rows_ == other.rows_ && columns_ == other.columns_;
    }

  private:
    DType dtype_;
    std::int64_t rows_, columns_, stride_;
    Vector<float> full_;
    Vector<bf16> half_;
};

// |got - wanted| <= absolute + relative |wanted|; NaN fails.
inline bool close(double got, double wanted, double absolute, double relative) {
    return std::abs(got - wanted) <= absolute + relative * std::abs(wanted);
}

}  // namespace temper::test
