// From a tensor's stored bytes to f32 or bf16 in memory, through a small buffer: peak memory does not grow with the tensor.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>

#include "io/input_file.h"
#include "io/tensor_source.h"
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
extern const Encoding encoding_f32, encoding_f16, encoding_bf16;

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
