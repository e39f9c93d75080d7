// A linear layer of 8-bit integers: what an Int8Linear (kernels/ops.h) is behind its handle, and how numbers become such integers.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/ops.h"

namespace temper {

// Rows of a weight as integers from -127 to 127; the number that row o stands for is scales[o] * value. A row of zeros has scale 1.
struct Int8Rows {
    std::vector<std::int8_t> values;  // (out, in)
    std::vector<float> scales;        // (out)
};
Int8Rows int8_rows(Span<const View> weights);

struct Int8Linear::Impl {
    std::int64_t in = 0, out = 0;
    bool has_bias = false;
    float input_scale = 1.0f;

    virtual ~Impl() = default;
    // Takes over the integers, once. scales: (out), those of the sums, the input's among them. bias lies in host memory, (out) f32 or empty.
    virtual void load(Stream& stream, const Int8Rows& rows, const float* scales, View bias) = 0;
    virtual std::size_t bytes() const = 0;
};

}  // namespace temper
