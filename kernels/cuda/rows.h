// Kernels that map rows: a thread takes eight neighbouring numbers of a row at a time (vectors.h), so that a warp reads without gaps.
#pragma once
#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/vectors.h"

namespace temper::cuda {

// Rows in device memory as a kernel walks them; the heads of a row are columns of it.
template <class T> struct RowsOf {
    using Number = std::remove_const_t<T>;
    Global<T> numbers;
    std::int64_t stride = 0;
    bool aligned = false;  // column 8 i of every row begins at a multiple of 16 bytes

    bool __host__ __device__ empty() const { return numbers.empty(); }
    // `count` numbers are left of the row.
    __device__ Eight load(std::int64_t row, std::int64_t column, std::int64_t count) const {
        return load_eight<Number>(Global<const Number>(numbers), row * stride + column, count, aligned);
    }
    __device__ void store(std::int64_t row, std::int64_t column, const Eight& eight, std::int64_t count) const {
        store_eight<Number>(numbers, row * stride + column, eight, count, aligned);
    }
    // As they are, NaN with all their bits.
    __device__ void move(std::int64_t row, const RowsOf<const Number>& from, std::int64_t from_row, std::int64_t column, std::int64_t count) const {
        constexpr int kPack = 16 / sizeof(Number);
        const std::int64_t to = row * stride + column, source = from_row * from.stride + column;
        if (aligned && from.aligned && count >= kEight) {
#pragma unroll
            for (int i = 0; i < kEight; i += kPack) store_pack<kPack>(numbers, to + i, load_pack<kPack>(from.numbers, source + i));
            return;
        }
#pragma unroll
        for (int i = 0; i < kEight; ++i) {
            if (i >= count) break;
            const Number number = from.numbers[source + i];
            numbers[to + i] = number;
        }
    }
};

// `step`: numbers behind which columns that a kernel counts from begin, where rows have parts (the width of a head).
template <class T> RowsOf<T> rows_of(const View& view, std::int64_t step = 0) {
    if (view.empty()) return {};
    const auto on_line = [&view](std::int64_t numbers) { return numbers * size_of(view.dtype) % 16 == 0; };
    const bool aligned = reinterpret_cast<std::uintptr_t>(view.data) % 16 == 0 && on_line(view.row_stride()) && on_line(step);
    return {global<T>(view), view.row_stride(), aligned};
}

// body(row, column) for every eighth column of every row.
template <class Body> __global__ void map_rows_kernel(Body body, std::int64_t rows, std::int64_t steps) {
    const std::int64_t step = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (step >= steps) return;
    for (std::int64_t row = blockIdx.y; row < rows; row += gridDim.y) body(row, step * kEight);
}

template <class Body> void map_rows(Stream& stream, const Body& body, std::int64_t rows, std::int64_t columns) {
    constexpr std::int64_t kThreads = 256, kMostBlocks = 65535;  // of a grid's second dimension
    const std::int64_t steps = blocks(columns, kEight), threads = std::min(kThreads, blocks(steps, kWarp) * kWarp);
    if (rows == 0 || steps == 0) return;
    launch(stream, map_rows_kernel<Body>, {blocks(steps, threads), std::min(rows, kMostBlocks)}, static_cast<int>(threads), 0, body, rows, steps);
}

// function(a number of that type).
template <class Function> void for_floating(DType dtype, const Function& function) {
    if (dtype == DType::bf16) function(bf16{});
    else function(float{});
}

}  // namespace temper::cuda
