// The number formats of GGUF tensors. Blocks of 32 numbers with a scale (and minimum) in binary16:
//   Q8_0    d f16, 32 x i8                            x = q d
//   Q4_0    d f16, 16 x 2 nibbles                     x = (q - 8) d
//   Q4_1    d, m f16, 16 x 2 nibbles                  x = q d + m, rounded after the product and after the sum
//   Q5_0    d f16, 32 fifth bits, 16 x 2 nibbles      x = (q - 16) d
//   Q5_1    d, m f16, 32 fifth bits, 16 x 2 nibbles   x = q d + m
//   IQ4_NL  d f16, 16 x 2 nibbles                     x = d table[q]
// Low nibbles are the first 16 numbers, high nibbles the last 16. Blocks of 256 numbers (Q2_K ... Q6_K, IQ4_XS) have small integer scales a
// group of 16 or 32 besides: encoding_k.cpp. Every step is in float32, as in the `gguf` Python package: same bits.
#pragma once
#include <cstdint>
#include <cstring>

#include "kernels/tensor.h"

namespace temper {

// A storage format: blocks of `elements` numbers in `bytes` bytes, and how to decode them.
struct Encoding {
    std::int64_t elements, bytes;
    void (*to_f32)(const std::uint8_t* blocks, std::int64_t count, float* out);
};
// IEEE binary16: every number is a float. Subnormals are scaled as integers, so that the processor's flush-to-zero mode has no say.
inline float from_f16(std::uint16_t half) {
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16, magnitude = half & 0x7fffu;
    const float subnormal = static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24f;
    std::uint32_t bits;
    std::memcpy(&bits, &subnormal, 4);
    if (magnitude >= 0x0400u) bits = (magnitude << 13) + 0x38000000u;
    if (magnitude >= 0x7c00u) bits = (magnitude << 13) | 0x7f800000u;
    bits |= sign;
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}
// To the nearest binary16, ties to even; what is too large becomes infinite.
inline std::uint16_t to_f16(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, 4);
    const std::uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    std::uint32_t half;
    if (magnitude > 0x7f800000u) half = 0x7e00u | (magnitude >> 13 & 0x1ffu);  // not a number
    else if (magnitude >= 0x477ff000u) half = 0x7c00u;
    else if (magnitude >= 0x38800000u) half = (magnitude + 0xfffu + (magnitude >> 13 & 1u) - 0x38000000u) >> 13;
    else {  // subnormal: the addition rounds at the place of the last bit
        float shifted;
        std::memcpy(&shifted, &magnitude, 4);
        shifted += 0.5f;
        std::memcpy(&half, &shifted, 4);
        half -= 0x3f000000u;
    }
    return static_cast<std::uint16_t>(sign | half);
}
inline float scale_at(const std::uint8_t* bytes) {
    std::uint16_t stored;
    std::memcpy(&stored, bytes, 2);
    return from_f16(stored);
}

extern const Encoding encoding_f32, encoding_f16, encoding_bf16;
extern const Encoding encoding_q8_0, encoding_q4_0, encoding_q4_1, encoding_q5_0, encoding_q5_1, encoding_iq4_nl;
// Of blocks of 256.
extern const Encoding encoding_q2_k, encoding_q3_k, encoding_q4_k, encoding_q5_k, encoding_q6_k, encoding_iq4_xs;
// What a nibble of IQ4_NL and IQ4_XS stands for.
extern const float iq4_values[16];

}  // namespace temper
