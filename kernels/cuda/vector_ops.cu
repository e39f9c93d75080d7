// Ops on flat vectors: norm, sum, search.
#include <cmath>
#include <vector>

#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/flat.h"
#include "kernels/cuda/rows.h"

namespace temper::cuda {
namespace {

constexpr int kBlock = 16384;  // numbers that are summed or searched together; kernels/cpu/vector_ops.cpp has the same
constexpr int kThreads = 256;

// ---- global_norm: the chains of kernels/cpu/vector_ops.cpp, so that the bits are its bits. A thread has one of the eight chains of a block of
// numbers: every eighth of them. Squares of floats are exact in double, so a fused multiply-add rounds as its two operations do.
constexpr int kChains = 8;

__global__ void __launch_bounds__(kThreads) squares_kernel(Global<double> sums, Global<const float> values, std::int64_t count) {
    const Shared<double> chains = shared<double>(0, kThreads);
    const int thread = static_cast<int>(threadIdx.x);
    const std::int64_t block = std::int64_t{blockIdx.x} * (kThreads / kChains) + thread / kChains;
    const std::int64_t begin = block * kBlock, end = min(count, begin + kBlock);
    double sum = 0.0;
#pragma unroll 8
    for (std::int64_t i = begin + thread % kChains; i < end; i += kChains) {
        const double x = values[i];
        sum += x * x;
    }
    chains[thread] = sum;
    __syncwarp();
    if (thread % kChains != 0 || begin >= count) return;
    double part[kChains];
#pragma unroll
    for (int i = 0; i < kChains; ++i) part[i] = chains[thread + i];
    sums[block] = ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}

// ---- add
struct Add {
    FlatOf target, source;

    __device__ void operator()(std::int64_t index) const {
        Four y = target.load(index);
        const Four x = source.load(index);
#pragma unroll
        for (int i = 0; i < kFour; ++i) y[i] = y[i] + x[i];
        target.store(index, y);
    }
};

// ---- first_non_finite: a block of threads searches one piece of a row for the smallest index.
__device__ inline bool is_finite(float value) { return (__float_as_uint(value) & 0x7f800000u) != 0x7f800000u; }

template <class T>
__global__ void __launch_bounds__(kThreads) search_kernel(Global<std::int64_t> found, RowsOf<const T> rows, std::int64_t width, std::int64_t pieces) {
    const Shared<int> firsts = shared<int>(0, kThreads / kWarp);
    const std::int64_t row = blockIdx.x / pieces, begin = blockIdx.x % pieces * kBlock, count = min(width - begin, std::int64_t{kBlock});
    int first = kBlock;
    for (int column = static_cast<int>(threadIdx.x) * kEight; column < count && first == kBlock; column += kThreads * kEight) {
        const Eight numbers = rows.load(row, begin + column, count - column);
#pragma unroll
        for (int i = kEight - 1; i >= 0; --i)
            if (!is_finite(numbers[i])) first = column + i;
    }
#pragma unroll
    for (int distance = 1; distance < kWarp; distance *= 2) first = min(first, __shfl_xor_sync(kFullWarp, first, distance));
    if (threadIdx.x % kWarp == 0) firsts[static_cast<int>(threadIdx.x) / kWarp] = first;
    __syncthreads();
    if (threadIdx.x != 0) return;
    for (int warp = 1; warp < kThreads / kWarp; ++warp) {
        const int other = firsts[warp];
        first = min(first, other);
    }
    found[blockIdx.x] = first < kBlock ? row * width + begin + first : -1;
}

// What a kernel has left in scratch.
template <class T> std::vector<T> brought(Stream& stream, const T* scratch, std::int64_t count) {
    std::vector<T> values(static_cast<std::size_t>(count));
    stream.cuda().copy_out(values.data(), scratch, values.size() * sizeof(T));
    stream.synchronize();
    return values;
}

template <class T> T* scratch_of(Stream& stream, std::int64_t count) {
    return static_cast<T*>(stream.scratch(static_cast<std::size_t>(count) * sizeof(T)));
}

}  // namespace

double global_norm(Stream& stream, View values) {
    const std::int64_t count = values.size(0), parts = blocks(count, kBlock);
    if (count == 0) return 0.0;
    auto* const sums = scratch_of<double>(stream, parts);
    launch(stream, squares_kernel, {blocks(parts, kThreads / kChains)}, kThreads, kThreads * static_cast<int>(sizeof(double)),
           Global<double>(sums, parts), global<const float>(values), count);
    double total = 0.0;
    for (const double sum : brought(stream, sums, parts)) total += sum;
    return std::sqrt(total);
}

void add(Stream& stream, View target, View source) { map_flat(stream, Add{FlatOf(target), FlatOf(source)}, target.size(0)); }

std::int64_t first_non_finite(Stream& stream, View values) {
    const std::int64_t rows = values.rank < 2 ? 1 : values.size(0), width = rows == 0 ? 0 : values.elements() / rows;
    const std::int64_t pieces = blocks(width, kBlock), count = rows * pieces;
    if (count == 0) return -1;
    auto* const found = scratch_of<std::int64_t>(stream, count);
    for_floating(values.dtype, [&](auto number) {
        using T = decltype(number);
        launch(stream, search_kernel<T>, {count}, kThreads, kThreads / kWarp * static_cast<int>(sizeof(int)), Global<std::int64_t>(found, count),
               rows_of<const T>(values), width, pieces);
    });
    for (const std::int64_t index : brought(stream, found, count))
        if (index >= 0) return index;
    return -1;
}

std::size_t vector_scratch(std::int64_t count) { return static_cast<std::size_t>(blocks(count, kBlock)) * sizeof(double); }

}  // namespace temper::cuda
