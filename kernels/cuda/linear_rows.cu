#include "kernels/cuda/linear_rows.h"

#include <algorithm>

#include "kernels/cuda/dropout.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/vectors.h"

namespace temper::cuda {
namespace {

constexpr int kThreads = 256;

// Threads of a block that goes through rows of so many columns.
int row_threads(std::int64_t columns) {
    return static_cast<int>(std::min<std::int64_t>(kThreads, std::max<std::int64_t>(1, blocks(columns, kEight * kWarp)) * kWarp));
}

// A number a thread.
template <class T>
__global__ void spread_s_kernel(Global<T> to, std::int64_t to_stride, Global<T> s, std::int64_t s_stride, std::int64_t s_columns,
                                Global<const float> products, std::int64_t border, Global<const float> scales, std::int64_t rows,
                                std::int64_t adapted, Range taken) {
    const std::int64_t width = taken.end - taken.begin, i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (i >= rows * width) return;
    const std::int64_t row = i / width, column = taken.begin + i % width;
    T value = round_to<T>(0.0f);
    if (row < adapted) value = round_to<T>(scales[column] * products[row * border + column]);
    if (!to.empty()) to[row * to_stride + column] = value;
    if (row < adapted && column < s_columns) s[row * s_stride + column] = value;
}

template <class T>
void spread(Stream& stream, const View& to, const View& s, const View& products, const View& scales, std::int64_t adapted, Range taken) {
    const std::int64_t rows = to.empty() ? adapted : to.size(0), border = scales.size(0);
    launch(stream, spread_s_kernel<T>, {blocks(rows * taken.size(), kThreads)}, kThreads, 0, global<T>(to), stride_of(to), global<T>(s), stride_of(s),
           s.empty() ? std::int64_t{0} : s.size(1), global<const float>(products), border, global<const float>(scales), rows, adapted, taken);
}

// A block goes through a row.
template <class T>
__global__ void finish_kernel(Global<T> y, std::int64_t y_stride, bool y_aligned, Global<const float> wide, std::int64_t wide_stride,
                              Global<const float> scale, Global<const float> bias, Global<const T> residual, std::int64_t residual_stride,
                              bool residual_aligned, std::int64_t columns) {
    const std::int64_t row = blockIdx.x;
    for (std::int64_t c = std::int64_t{threadIdx.x} * kEight; c < columns; c += std::int64_t{blockDim.x} * kEight) {
        const std::int64_t count = columns - c;
        Eight value = load_eight(wide, row * wide_stride + c, count, true);
        if (!scale.empty()) {
            const Eight by = load_eight(scale, c, count, true);
#pragma unroll
            for (int i = 0; i < kEight; ++i) value[i] *= by[i];
        }
        if (!bias.empty()) {
            const Eight more = load_eight(bias, c, count, true);
#pragma unroll
            for (int i = 0; i < kEight; ++i) value[i] += more[i];
        }
        if (!residual.empty()) {
            const Eight more = load_eight(residual, row * residual_stride + c, count, residual_aligned);
#pragma unroll
            for (int i = 0; i < kEight; ++i) value[i] += more[i];
        }
        store_eight(y, row * y_stride + c, value, count, y_aligned);
    }
}

template <class T> void finish(Stream& stream, const View& y, const View& wide, const View& scale, const View& bias, const View& residual) {
    const std::int64_t columns = y.size(1);
    launch(stream, finish_kernel<T>, {y.size(0)}, row_threads(columns), 0, global<T>(y), y.row_stride(), is_aligned(y), global<const float>(wide),
           wide.row_stride(), global<const float>(scale), global<const float>(bias), global<const T>(residual), stride_of(residual),
           is_aligned(residual), columns);
}

template <class T>
__global__ void mask_kernel(Global<T> to, std::int64_t to_stride, bool to_aligned, std::int64_t to_columns, Global<const T> x, std::int64_t x_stride,
                            bool x_aligned, std::int64_t columns, Mask mask, std::int64_t first_row, std::int32_t module) {
    const std::int64_t row = blockIdx.x;
    for (std::int64_t c = std::int64_t{threadIdx.x} * kEight; c < to_columns; c += std::int64_t{blockDim.x} * kEight) {
        Eight value = load_eight(x, row * x_stride + c, columns - c, x_aligned);
        const Eight factors = mask_factors(mask, first_row + row, module, c);
#pragma unroll
        for (int i = 0; i < kEight; ++i) value[i] = c + i < columns ? value[i] * factors[i] : 0.0f;
        store_eight(to, row * to_stride + c, value, to_columns - c, to_aligned);
    }
}

template <class T> void mask_any(Stream& stream, const View& to, const View& x, const Dropout& dropout, std::int64_t first_row, std::int64_t module) {
    launch(stream, mask_kernel<T>, {to.size(0)}, row_threads(to.size(1)), 0, global<T>(to), to.row_stride(), is_aligned(to), to.size(1),
           global<const T>(x), x.row_stride(), is_aligned(x), x.size(1), mask_of(stream, dropout), first_row, static_cast<std::int32_t>(module));
}

}  // namespace

View widened(const View& view, std::int64_t more) {
    View wide = view;
    wide.shape[1] += more;
    wide.spare -= more;
    return wide;
}

void spread_s(Stream& stream, View to, View s, View products, View scales, std::int64_t adapted, Range taken) {
    const DType dtype = to.empty() ? s.dtype : to.dtype;
    if (dtype == DType::f32) spread<float>(stream, to, s, products, scales, adapted, taken);
    else spread<bf16>(stream, to, s, products, scales, adapted, taken);
}

void finish_rows(Stream& stream, View y, View wide, View scale, View bias, View residual) {
    if (y.dtype == DType::f32) finish<float>(stream, y, wide, scale, bias, residual);
    else finish<bf16>(stream, y, wide, scale, bias, residual);
}

void mask_rows(Stream& stream, View to, View x, const Dropout& dropout, std::int64_t first_row, std::int64_t module) {
    if (to.dtype == DType::f32) mask_any<float>(stream, to, x, dropout, first_row, module);
    else mask_any<bf16>(stream, to, x, dropout, first_row, module);
}

}  // namespace temper::cuda
