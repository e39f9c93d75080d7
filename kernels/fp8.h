// 8-bit floats of 4 exponent and 3 fraction bits (e4m3fn): bias 7, largest 448, no infinity, magnitude 127 not a number.   [Micikevicius et al. 2022]
#pragma once
#include <cstdint>
#include <cstring>

#include "kernels/quantized.h"

namespace temper {

constexpr float f8_largest = 448.0f;

// Every number is a float. Subnormals are scaled as integers, so that the processor's flush-to-zero mode has no say.
inline float from_f8(std::uint8_t stored) {
    const std::uint32_t magnitude = stored & 127u;
    const float subnormal = static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-9f;
    std::uint32_t bits;
    std::memcpy(&bits, &subnormal, 4);
    if (magnitude >= 8) bits = (magnitude << 20) + (120u << 23);
    if (magnitude == 127) bits = 0x7fc00000u;
    bits |= static_cast<std::uint32_t>(stored & 128u) << 24;
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}
std::uint8_t to_f8(float value);  // to nearest even; what is above the largest becomes the largest

extern const Encoding encoding_f8;

// From float32 or bfloat16, a scale a row: its largest magnitude / 448.
void quantize_f8(QuantMatrix& to, View weight /*(out, in)*/);

}  // namespace temper
