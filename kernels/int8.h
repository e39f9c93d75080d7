// A linear layer of 8-bit integers: what an Int8Linear (kernels/ops.h) is behind its handle, and how numbers become such integers.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/ops.h"

namespace temper {

// Rows of a weight, whose columns are divided by `multipliers`, as integers from -127 to 127; the number that row o stands for is scales[o] * value. A row of
// zeros has scale 1.
struct Int8Rows {
    std::vector<std::int8_t> values;  // (out, in)
    std::vector<float> scales;        // (out)
};
Int8Rows int8_rows(Span<const View> weights, Span<const float> multipliers);

struct Int8Linear::Impl {
    std::int64_t in = 0, out = 0;
    bool has_bias = false;
    std::int32_t most = 127;

    virtual ~Impl() = default;
    // Takes over the integers, once. multipliers: (in), of the input. bias lies in host memory, (out) f32 or empty.
    virtual void load(Stream& stream, const Int8Rows& rows, const float* multipliers, View bias) = 0;
    virtual std::size_t bytes() const = 0;
};

// A number of the input in two bytes: 256 * above + below.
constexpr std::int32_t kWidestInput = 127 * 256 + 127;

}  // namespace temper
