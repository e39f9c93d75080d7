// What stands before the data of a GGUF file: "GGUF", u32 version, u64 tensors, u64 pairs, the pairs of metadata, the tensors' names,
// shapes, types and offsets. Little-endian. [ggml/docs/gguf.md]
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "io/tensors/gguf_quants.h"
#include "io/tensors/tensor_source.h"

namespace temper {

// Integers of every width are int64 (uint64 where they do not fit), both floats are double; arrays hold one kind and are not nested.
using GgufValue = std::variant<bool, std::int64_t, std::uint64_t, double, std::string, std::vector<bool>, std::vector<std::int64_t>,
                               std::vector<double>, std::vector<std::string>>;

struct GgufTensor {
    TensorInfo info;
    const GgufType* type = nullptr;
    std::uint64_t begin = 0;  // in the file
    std::uint64_t bytes = 0;
};

struct GgufHeader {
    std::uint32_t version = 0;
    std::unordered_map<std::string, GgufValue> values;
    std::vector<GgufTensor> tensors;  // in the order of the data
    std::uint64_t data_begin = 0;
};

// Thrown when `head`, the first bytes of a longer file, ends before the header does.
struct GgufHeadTooShort {};

// The header of a file of file_size bytes that begins with `head`. bad_data names path, byte, what was found and what was expected.
GgufHeader parse_gguf_header(std::string_view head, std::uint64_t file_size, const std::string& path);

}  // namespace temper
