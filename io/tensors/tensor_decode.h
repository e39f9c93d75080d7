// From a tensor's stored bytes to f32 or bf16 in memory, through a small buffer: peak memory does not grow with the tensor.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>

#include "io/input_file.h"
#include "io/tensors/tensor_source.h"
#include "kernels/encoding.h"
#include "kernels/tensor.h"

namespace temper {

// The rows of a view in memory; a contiguous view is one row.
struct Rows {
    explicit Rows(const View& view);
    char* row(std::int64_t index) const { return base + index * stride; }

    char* base;
    std::int64_t count, width;  // width in elements
    std::int64_t stride;        // in bytes
};

// bad_data that names file, tensor, both shapes; internal when the destination is not f32 or bf16 in the memory of the host.
void check_destination(const std::string& path, const TensorInfo& info, const View& destination);
// Decodes destination.elements() numbers that begin at `offset`. Every row of the tensor holds whole blocks. Thread-safe.
void decode_tensor(const InputFile& file, std::uint64_t offset, const Encoding& encoding, const View& destination);

std::string shape_text(const std::vector<std::int64_t>& shape);  // "(576, 49152)"

}  // namespace temper
