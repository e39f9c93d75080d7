#include "kernels/fp8.h"

#include <algorithm>
#include <cmath>

namespace temper {
namespace {

constexpr float least_of_row = 1e-12f;  // what the largest magnitude of a row counts as at least: rows of zeros have a scale, too      [torchao]

void f8_to_f32(const std::uint8_t* __restrict blocks, std::int64_t count, float* __restrict out) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = from_f8(blocks[i]);
}

}  // namespace

const Encoding encoding_f8{1, 1, f8_to_f32};

std::uint8_t to_f8(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, 4);
    const std::uint32_t sign = bits >> 24 & 0x80u, magnitude = bits & 0x7fffffffu;
    std::uint32_t small;
    if (magnitude > 0x7f800000u) small = 127;        // not a number
    else if (magnitude >= 0x43e00000u) small = 126;  // 448 and above
    else if (magnitude >= 0x3c800000u)               // 2^-6, the least normal one
        small = ((magnitude + 0x7ffffu + (magnitude >> 20 & 1u)) >> 20) - (120u << 3);
    else {  // the addition rounds at the place of the last bit
        float shifted;
        std::memcpy(&shifted, &magnitude, 4);
        shifted += 0x1p14f;
        std::memcpy(&small, &shifted, 4);
        small -= 0x46800000u;
    }
    return static_cast<std::uint8_t>(sign | small);
}

void quantize_f8(QuantMatrix& to, View weight) {
    to.view = QuantView();
    to.view.out = weight.size(0);
    to.view.in = weight.size(1);
    to.view.format.encoding = &encoding_f8;
    to.view.format.scale_rows = 1;
    to.view.format.scale_columns = to.view.in;
    to.data.resize(static_cast<std::size_t>(to.view.data_bytes()));
    to.scale.resize(static_cast<std::size_t>(to.view.out));
    std::vector<float> numbers(static_cast<std::size_t>(to.view.in));
    for (std::int64_t row = 0; row < to.view.out; ++row) {
        if (weight.dtype == DType::f32) std::copy_n(weight.row<float>(row), to.view.in, numbers.begin());
        else std::transform(weight.row<bf16>(row), weight.row<bf16>(row) + to.view.in, numbers.begin(), from_bf16);
        float largest = least_of_row;
        for (const float number : numbers) largest = std::max(largest, std::fabs(number));
        const float scale = largest / f8_largest;
        to.scale[static_cast<std::size_t>(row)] = scale;
        std::uint8_t* const bytes = to.data.data() + row * to.view.in;
        std::transform(numbers.begin(), numbers.end(), bytes, [scale](float number) { return to_f8(number / scale); });
    }
    to.point_view();
}

}  // namespace temper
