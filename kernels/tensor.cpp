#include "kernels/tensor.h"

#include <cstring>

namespace temper {

const char* name_of(DType dtype) {
    switch (dtype) {
        case DType::f32: return "float32";
        case DType::bf16: return "bfloat16";
        case DType::i32: return "int32";
    }
    return "unknown";
}

const char* name_of(Device device) { return device == Device::cpu ? "cpu" : "cuda"; }

View::View(void* memory, DType type, std::initializer_list<std::int64_t> sizes, Device where)
    : data(memory), dtype(type), device(where), rank(static_cast<int>(sizes.size())) {
    if (sizes.size() > shape.size()) throw_error(ExitCode::internal, "View: {} dimensions, at most {}", sizes.size(), shape.size());
    std::size_t i = 0;
    for (const std::int64_t size : sizes) shape[i++] = size;
    std::int64_t step = 1;
    while (i-- > 0) {
        stride[i] = step;
        step *= shape[i];
    }
}

std::int64_t View::elements() const {
    std::int64_t count = rank == 0 ? 0 : 1;
    for (int i = 0; i < rank; ++i) count *= shape[static_cast<std::size_t>(i)];
    return count;
}

View View::rows(std::int64_t begin, std::int64_t count) const {
    if (begin < 0 || count < 0 || begin + count > shape[0])
        throw_error(ExitCode::internal, "View::rows: [{}, {}) of {}", begin, begin + count, describe());
    View part = *this;
    part.data = static_cast<char*>(data) + begin * stride[0] * size_of(dtype);
    part.shape[0] = count;
    return part;
}

View View::columns(std::int64_t begin, std::int64_t count) const {
    if (rank != 2 || begin < 0 || count < 0 || begin + count > shape[1])
        throw_error(ExitCode::internal, "View::columns: [{}, {}) of {}", begin, begin + count, describe());
    View part = *this;
    part.data = static_cast<char*>(data) + begin * size_of(dtype);
    part.shape[1] = count;
    part.spare = begin + count == shape[1] ? spare : 0;
    return part;
}

View View::reshape(std::initializer_list<std::int64_t> sizes) const {
    View result(data, dtype, sizes, device);
    if (result.elements() != elements()) throw_error(ExitCode::internal, "View::reshape: {} to {}", describe(), result.describe());
    const bool contiguous = rank < 2 || stride[0] * shape[0] == elements();
    if (contiguous) return result;
    // Rows keep their stride: only what lies inside one row may be split or merged.
    if (result.shape[0] != shape[0]) throw_error(ExitCode::internal, "View::reshape: {} is not contiguous", describe());
    result.stride[0] = stride[0];
    return result;
}

View View::flat(std::int64_t offset, std::initializer_list<std::int64_t> sizes) const {
    return View(static_cast<char*>(data) + offset * size_of(dtype), dtype, sizes, device);
}

std::string View::describe() const {
    std::string text = name_of(dtype);
    text += " (";
    for (int i = 0; i < rank; ++i) text += fmt::format("{}{}", i == 0 ? "" : ", ", shape[static_cast<std::size_t>(i)]);
    return text + ")";
}

void View::check_dtype(DType expected) const {
    if (dtype != expected) throw_error(ExitCode::internal, "View: {} read as {}", describe(), name_of(expected));
}

bf16 to_bf16(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<bf16>((bits >> 16) | 0x40u);
    return static_cast<bf16>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float from_bf16(bf16 value) {
    const std::uint32_t bits = static_cast<std::uint32_t>(value) << 16;
    float result;
    std::memcpy(&result, &bits, sizeof result);
    return result;
}

}  // namespace temper
