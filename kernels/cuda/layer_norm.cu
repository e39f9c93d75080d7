// Layer norm, a row at a time; overwrites y. A team of threads takes a row: how many, and what each of them sums, depends on the width alone. The
// row is read three times, the last two from cache.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/rows.h"
#include "kernels/cuda/team.h"

namespace temper::cuda {
namespace {

constexpr int kThreads = 256;

template <class T> struct Norm {
    RowsOf<T> y;
    RowsOf<const T> x, residual;
    RowsOf<const float> weight, bias;
    std::int64_t rows, width;
    float epsilon;

    // x + residual, eight numbers of them.
    __device__ Eight load(std::int64_t row, std::int64_t column, std::int64_t left) const {
        Eight z = x.load(row, column, left);
        if (residual.empty()) return z;
        const Eight more = residual.load(row, column, left);
#pragma unroll
        for (int i = 0; i < kEight; ++i) z[i] = z[i] + more[i];
        return z;
    }
};

template <int kTeam, class T> __global__ void __launch_bounds__(kThreads) layer_norm_kernel(Norm<T> norm) {
    const std::int64_t row = std::int64_t{blockIdx.x} * (kThreads / kTeam) + threadIdx.x / kTeam;
    const std::int64_t width = row < norm.rows ? norm.width : 0, begin = static_cast<std::int64_t>(threadIdx.x % kTeam) * kEight;
    const auto size = static_cast<float>(norm.width);
    float sum = 0.0f, squares = 0.0f;
    for (std::int64_t c = begin; c < width; c += kTeam * kEight) {
        const Eight z = norm.load(row, c, width - c);
#pragma unroll
        for (int i = 0; i < kEight; ++i) sum += z[i];
    }
    const float mean = sum_of_team<kTeam>(sum, 0) / size;
    for (std::int64_t c = begin; c < width; c += kTeam * kEight) {
        const Eight z = norm.load(row, c, width - c);
#pragma unroll
        for (int i = 0; i < kEight; ++i) {
            const float away = c + i < width ? z[i] - mean : 0.0f;
            squares = fmaf(away, away, squares);
        }
    }
    const float scale = 1.0f / sqrtf(sum_of_team<kTeam>(squares, 1) / size + norm.epsilon);
    for (std::int64_t c = begin; c < width; c += kTeam * kEight) {
        const std::int64_t left = width - c;
        const Eight weight = norm.weight.load(0, c, left), bias = norm.bias.load(0, c, left);
        Eight z = norm.load(row, c, left);
#pragma unroll
        for (int i = 0; i < kEight; ++i) z[i] = fmaf((z[i] - mean) * scale, weight[i], bias[i]);
        norm.y.store(row, c, z, left);
    }
}

}  // namespace

void layer_norm(Stream& stream, View y, View x, View weight, View bias, float epsilon, View residual) {
    const std::int64_t steps = blocks(x.size(1), kEight);
    const int team = steps <= 8 ? 8 : steps <= 16 ? 16 : steps <= 256 ? kWarp : kThreads;
    const int shared_bytes = team == kThreads ? 2 * kThreads / kWarp * static_cast<int>(sizeof(float)) : 0;
    for_floating(x.dtype, [&](auto number) {
        using T = decltype(number);
        const auto kernel = team == 8       ? layer_norm_kernel<8, T>
                            : team == 16    ? layer_norm_kernel<16, T>
                            : team == kWarp ? layer_norm_kernel<kWarp, T>
                                            : layer_norm_kernel<kThreads, T>;
        const Norm<T> norm = {rows_of<T>(y),
                              rows_of<const T>(x),
                              rows_of<const T>(residual),
                              rows_of<const float>(weight),
                              rows_of<const float>(bias),
                              x.size(0),
                              x.size(1),
                              epsilon};
        launch(stream, kernel, {blocks(norm.rows, kThreads / team)}, kThreads, shared_bytes, norm);
    });
}

}  // namespace temper::cuda
