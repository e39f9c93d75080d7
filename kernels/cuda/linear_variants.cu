#include "kernels/cuda/linear_variants.h"

#include <algorithm>

#include "kernels/cuda/dropout.h"
#include "kernels/cuda/launch.h"

namespace temper::cuda {
namespace {

constexpr int kThreads = 256;

// to = (scale - less) * d_y
template <class T>
__global__ void scale_kernel(Global<T> to, std::int64_t to_stride, std::int64_t to_columns, Global<const T> d_y, std::int64_t stride, bool aligned,
                             std::int64_t columns, Global<const float> scale, float less) {
    const std::int64_t row = blockIdx.x;
    for (std::int64_t c = std::int64_t{threadIdx.x} * kEight; c < to_columns; c += std::int64_t{blockDim.x} * kEight) {
        Eight value = load_eight(d_y, row * stride + c, columns - c, aligned);
        const Eight by = load_eight(scale, c, columns - c, false);
#pragma unroll
        for (int i = 0; i < kEight; ++i) value[i] *= by[i] - less;
        store_eight(to, row * to_stride + c, value, to_columns - c, true);
    }
}

template <class T> void scale_any(Stream& stream, const View& to, const View& d_y, const View& scale, float less) {
    launch(stream, scale_kernel<T>, {to.size(0)}, kThreads, 0, global<T>(to), to.row_stride(), to.size(1), global<const T>(d_y), d_y.row_stride(),
           is_aligned(d_y), d_y.size(1), global<const float>(scale), less);
}

void scale_columns(Stream& stream, const View& to, const View& d_y, const View& scale, float less) {
    if (to.dtype == DType::f32) scale_any<float>(stream, to, d_y, scale, less);
    else scale_any<bf16>(stream, to, d_y, scale, less);
}

__global__ void add_masked_kernel(Global<float> wide, Global<const float> part, std::int64_t stride, std::int64_t columns, Mask mask,
                                  std::int64_t first_row, std::int32_t module) {
    const std::int64_t row = blockIdx.x;
    for (std::int64_t c = std::int64_t{threadIdx.x} * kEight; c < columns; c += std::int64_t{blockDim.x} * kEight) {
        Eight sum = load_eight(Global<const float>(wide), row * stride + c, columns - c, true);
        const Eight more = load_eight(part, row * stride + c, columns - c, true), factors = mask_factors(mask, first_row + row, module, c);
#pragma unroll
        for (int i = 0; i < kEight; ++i) sum[i] += factors[i] * more[i];
        store_eight(wide, row * stride + c, sum, columns - c, true);
    }
}

// A thread has a column of one leaf.
template <class T>
__global__ void magnitude_kernel(Global<float> d_adapter, std::int64_t d_adapter_stride, std::int64_t offset, Global<const T> d_y,
                                 std::int64_t d_y_stride, Global<const float> product, std::int64_t stride, Global<const float> norm,
                                 Global<const Leaf> leaves, std::int64_t columns) {
    const std::int64_t c = std::int64_t{blockIdx.y} * kThreads + threadIdx.x;
    if (c >= columns) return;
    const Leaf leaf = leaves[blockIdx.x];
    double sum = 0.0;
    for (std::int64_t t = leaf.begin; t < leaf.begin + leaf.length; ++t) {
        const T gradient = d_y[t * d_y_stride + c];
        sum += static_cast<double>(to_float(gradient)) * static_cast<double>(product[t * stride + c]);
    }
    const float length = norm[c];
    d_adapter[blockIdx.x * d_adapter_stride + offset + c] = length > 0.0f ? static_cast<float>(sum) / length : 0.0f;
}

template <class T>
void sum_any(Stream& stream, const View& d_adapter, std::int64_t offset, const View& d_y, const View& product, const View& norm,
             Span<const Leaf> leaves) {
    const Grid grid{static_cast<std::int64_t>(leaves.size()), blocks(norm.size(0), kThreads)};
    launch(stream, magnitude_kernel<T>, grid, kThreads, 0, global<float>(d_adapter), d_adapter.row_stride(), offset, global<const T>(d_y),
           d_y.row_stride(), global<const float>(product), product.row_stride(), global<const float>(norm), upload(stream, leaves), norm.size(0));
}

}  // namespace

void scale_rows_by_columns(Stream& stream, View to, View d_y, View scale) { scale_columns(stream, to, d_y, scale, 0.0f); }
void change_of_magnitude(Stream& stream, View to, View d_y, View scale) { scale_columns(stream, to, d_y, scale, 1.0f); }

void add_masked(Stream& stream, View wide, View part, const Dropout& dropout, std::int64_t first_row, std::int64_t module) {
    launch(stream, add_masked_kernel, {wide.size(0)}, kThreads, 0, global<float>(wide), global<const float>(part), wide.row_stride(), wide.size(1),
           mask_of(stream, dropout), first_row, static_cast<std::int32_t>(module));
}

void sum_magnitudes(Stream& stream, View d_adapter, std::int64_t offset, View d_y, View product, View norm, Span<const Leaf> leaves) {
    if (d_y.dtype == DType::f32) sum_any<float>(stream, d_adapter, offset, d_y, product, norm, leaves);
    else sum_any<bf16>(stream, d_adapter, offset, d_y, product, norm, leaves);
}

}  // namespace temper::cuda
