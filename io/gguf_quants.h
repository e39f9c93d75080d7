// The number formats of GGUF tensors. Blocks of 32 numbers with a scale (and minimum) in binary16:
//   Q8_0    d f16, 32 x i8                            x = q d
//   Q4_0    d f16, 16 x 2 nibbles                     x = (q - 8) d
//   Q4_1    d, m f16, 16 x 2 nibbles                  x = q d + m, rounded after the product and after the sum
//   Q5_0    d f16, 32 fifth bits, 16 x 2 nibbles      x = (q - 16) d
//   Q5_1    d, m f16, 32 fifth bits, 16 x 2 nibbles   x = q d + m
//   IQ4_NL  d f16, 16 x 2 nibbles                     x = d table[q]
// Low nibbles are the first 16 numbers, high nibbles the last 16. Blocks of 256 numbers (Q2_K ... Q6_K, IQ4_XS) have small integer scales a
// group of 16 or 32 besides: gguf_quants_k.cpp. Every step is in float32, as in the `gguf` Python package: same bits. Types that occur
// only inside llama.cpp's products (Q8_1, Q8_K) are in no file and unknown here.
#pragma once
#include <cstdint>

#include "io/tensor_decode.h"

namespace temper {

struct GgufType {
    std::uint32_t id;
    const char* name;
    std::int64_t elements, bytes;  // of a block
    const Encoding* encoding;      // null: the size is known, decoding is not offered
};

// Null when there is no such type.
const GgufType* find_gguf_type(std::uint32_t id);
std::string decoded_gguf_types();  // "F32, F16, ...", for messages

// Of blocks of 256.
extern const Encoding encoding_q2_k, encoding_q3_k, encoding_q4_k, encoding_q5_k, encoding_q6_k, encoding_iq4_xs;
// What a nibble of IQ4_NL and IQ4_XS stands for.
extern const float iq4_values[16];

inline float scale_at(const std::uint8_t* bytes) {
    std::uint16_t stored;
    std::memcpy(&stored, bytes, 2);
    return from_f16(stored);
}

}  // namespace temper
