// Cuts an op's one piece of device scratch into arrays. What an op needs is a struct whose constructor takes its arrays from a Cuts: without memory
// first, which only counts, then from memory.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/stream.h"
#include "kernels/tensor.h"

namespace temper::cuda {

constexpr std::int64_t kRowPack = 8;  // rows of numbers are padded to a multiple: 16 bytes of bfloat16, 32 of float32

constexpr std::int64_t round_up(std::int64_t count, std::int64_t step) { return (count + step - 1) / step * step; }

class Cuts {
  public:
    Cuts() = default;
    explicit Cuts(void* memory) : base_(static_cast<char*>(memory)) {}
    // (rows, columns), rows at multiples of 16 bytes; empty where there are none.
    View take(DType dtype, std::int64_t rows, std::int64_t columns) {
        View view(nullptr, dtype, {rows, columns}, Device::cuda);
        view.stride[0] = round_up(columns, kRowPack);
        view.spare = view.stride[0] - columns;
        if (rows == 0 || columns == 0) return view;
        if (base_ != nullptr) view.data = base_ + bytes_;
        bytes_ += static_cast<std::size_t>(round_up(rows * view.stride[0] * size_of(dtype), 256));
        return view;
    }
    View take(DType dtype, std::int64_t count) {
        const View rows = take(dtype, 1, count);
        return View(rows.data, dtype, {count}, Device::cuda);
    }
    std::size_t bytes() const { return bytes_; }

  private:
    char* base_ = nullptr;
    std::size_t bytes_ = 0;
};

// For the matrix of a weight that is quantised (bordered.h).
inline View take_matrix(Cuts& cuts, DType dtype, std::int64_t out, std::int64_t in, std::int64_t border) {
    return cuts.take(dtype, round_up(out, kRowPack) + border, round_up(in, kRowPack) + border);
}

// Work(cuts, shape...) on the stream's scratch.
template <class Work, class... Shape> Work take_scratch(Stream& stream, const Shape&... shape) {
    Cuts count;
    Work(count, shape...);
    Cuts cuts(count.bytes() == 0 ? nullptr : stream.scratch(count.bytes()));
    return Work(cuts, shape...);
}

template <class Work, class... Shape> std::size_t count_scratch(const Shape&... shape) {
    Cuts count;
    Work(count, shape...);
    return count.bytes();
}

}  // namespace temper::cuda
