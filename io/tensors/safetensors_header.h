// The header of a .safetensors file, checked as strictly as the reference library checks it (safetensors, Rust), and in four things more:
// duplicate keys, fields that are not known, tensors without elements and more than a million tensors are refused.
// File: u64 length N, little-endian; N bytes of JSON {"name": {"dtype", "shape", "data_offsets": [begin, end)}, "__metadata__"}; the data.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/tensors/tensor_source.h"

namespace temper {

struct SafetensorsEntry {
    TensorInfo info;
    std::uint64_t begin = 0;  // in the file
    std::uint64_t bytes = 0;
};
struct SafetensorsHeader {
    std::vector<SafetensorsEntry> entries;  // in the order of the data
    std::map<std::string, std::string> metadata;
};

constexpr std::uint64_t safetensors_header_limit = 100'000'000;

// The length of the JSON, from the first 8 bytes of a file of file_size bytes.
std::uint64_t parse_safetensors_length(std::string_view first_bytes, std::uint64_t file_size, const std::string& path);
// bad_data names the path, the tensor and the field.
SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t file_size, const std::string& path);

}  // namespace temper
