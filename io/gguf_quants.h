// The number formats of GGUF tensors. Q8_0, Q4_0 and Q4_1 hold 32 numbers a block with a scale (and minimum) in binary16:
//   Q8_0  d f16, 32 x i8             x = q d
//   Q4_0  d f16, 16 x 2 nibbles      x = (q - 8) d
//   Q4_1  d, m f16, 16 x 2 nibbles   x = q d + m, rounded after the product and after the sum
// Low nibbles are the first 16 numbers, high nibbles the last 16. Every step is in float32, as in the `gguf` Python package: same bits.
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

}  // namespace temper
