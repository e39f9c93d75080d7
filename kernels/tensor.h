// A non-owning view of numbers in memory, passed by value. One owner (Arena, or a file mapping) allocates; ops never do.
// C++17: .cu files see this header.
#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "kernels/error.h"

namespace temper {

enum class Device : std::uint8_t { cpu, cuda };
enum class DType : std::uint8_t { f32, bf16, i32 };

using bf16 = std::uint16_t;  // storage only: the upper half of a float

constexpr std::int64_t size_of(DType dtype) { return dtype == DType::bf16 ? 2 : 4; }
const char* name_of(DType dtype);
const char* name_of(Device device);

template <class T> struct DTypeOf;
template <> struct DTypeOf<float> { static constexpr DType value = DType::f32; };
template <> struct DTypeOf<bf16> { static constexpr DType value = DType::bf16; };
template <> struct DTypeOf<std::int32_t> { static constexpr DType value = DType::i32; };

struct View {
    void* data = nullptr;
    DType dtype = DType::f32;
    Device device = Device::cpu;
    int rank = 0;
    std::array<std::int64_t, 4> shape{};
    std::array<std::int64_t, 4> stride{};  // in elements; the last is always 1
    std::int64_t spare = 0;                // columns behind shape[rank-1] in every row that an op may overwrite (tile padding)

    View() = default;
    // A contiguous view.
    View(void* memory, DType type, std::initializer_list<std::int64_t> sizes, Device where = Device::cpu);

    bool empty() const { return data == nullptr; }
    // size(-1) is the last dimension.
    std::int64_t size(int dimension) const { return shape[static_cast<std::size_t>(dimension < 0 ? rank + dimension : dimension)]; }
    std::int64_t elements() const;
    std::int64_t row_stride() const { return rank < 2 ? size(-1) : stride[0]; }

    // The memory as T; an Error of ours when the dtype is another.
    template <class T> T* as() const {
        check_dtype(DTypeOf<T>::value);
        return static_cast<T*>(data);
    }
    template <class T> T* row(std::int64_t index) const { return as<T>() + index * stride[0]; }

    View rows(std::int64_t begin, std::int64_t count) const;        // along the first dimension
    View columns(std::int64_t begin, std::int64_t count) const;     // of a rank-2 view, sharing its row stride
    View reshape(std::initializer_list<std::int64_t> sizes) const;  // last dimension split or first dimensions merged; row stride kept
    // Contiguous numbers from the offset-th behind data, of this dtype and device.
    View flat(std::int64_t offset, std::initializer_list<std::int64_t> sizes) const;
    std::string describe() const;  // "bfloat16 (2048, 896)"

  private:
    void check_dtype(DType expected) const;
};

// Round to nearest even, NaN kept quiet.
bf16 to_bf16(float value);
float from_bf16(bf16 value);

}  // namespace temper
