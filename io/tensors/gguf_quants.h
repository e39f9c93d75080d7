// The types of GGUF tensors; their formats are in kernels/encoding.h. Types that occur only inside llama.cpp's products (Q8_1, Q8_K) are in no file
// and unknown here.
#pragma once
#include <cstdint>

#include "io/tensors/tensor_decode.h"

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

}  // namespace temper
