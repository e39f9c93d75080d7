// RMS norm, one row or one head of a row at a time; overwrites y and d_x. A team of threads takes a row: how many, and what each of them sums,
// depends on the width alone. The row is read twice, the second time from cache.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/rows.h"
#include "kernels/cuda/team.h"

namespace temper::cuda {
namespace {

constexpr int kThreads = 256;

// What is normed: whole rows of (N, D), or the heads of (N, H, d).
struct Groups {
    std::int64_t count, in_row, width;
    explicit Groups(const View& x) : count(x.size(0) * (x.rank == 3 ? x.size(1) : 1)), in_row(x.rank == 3 ? x.size(1) : 1), width(x.size(-1)) {}
    template <class T> RowsOf<T> rows(const View& view) const { return rows_of<T>(view, in_row > 1 ? width : 0); }
};

// A thread's place: its group, and the first of its columns.
struct Place {
    std::int64_t row, begin, first, width;

    // Threads behind the last group have an empty one.
    template <int kTeam> static __device__ Place of_team(const Groups& groups) {
        const std::int64_t group = std::int64_t{blockIdx.x} * (kThreads / kTeam) + threadIdx.x / kTeam;
        const bool valid = group < groups.count;
        return {valid ? group / groups.in_row : 0, valid ? group % groups.in_row * groups.width : 0,
                static_cast<std::int64_t>(threadIdx.x % kTeam) * kEight, valid ? groups.width : 0};
    }
};

template <class T> struct Forward {
    RowsOf<T> y;
    RowsOf<const T> x, residual;
    RowsOf<const float> weight;
    Groups groups;
    float epsilon;
};

template <int kTeam, class T> __global__ void __launch_bounds__(kThreads) rms_norm_kernel(Forward<T> norm) {
    const Place place = Place::of_team<kTeam>(norm.groups);
    float squares = 0.0f;
    for (std::int64_t c = place.first; c < place.width; c += kTeam * kEight) {
        const Eight x = norm.x.load(place.row, place.begin + c, place.width - c);
#pragma unroll
        for (int i = 0; i < kEight; ++i) squares = fmaf(x[i], x[i], squares);
    }
    squares = sum_of_team<kTeam>(squares, 0);
    const float scale = 1.0f / sqrtf(squares / static_cast<float>(norm.groups.width) + norm.epsilon);
    for (std::int64_t c = place.first; c < place.width; c += kTeam * kEight) {
        const std::int64_t left = place.width - c;
        const Eight weight = norm.weight.load(0, c, left);
        Eight x = norm.x.load(place.row, place.begin + c, left);
#pragma unroll
        for (int i = 0; i < kEight; ++i) x[i] = x[i] * scale * weight[i];
        if (!norm.residual.empty()) {
            const Eight residual = norm.residual.load(place.row, place.begin + c, left);
#pragma unroll
            for (int i = 0; i < kEight; ++i) x[i] = x[i] + residual[i];
        }
        norm.y.store(place.row, place.begin + c, x, left);
    }
}

template <class T> struct Backward {
    RowsOf<T> d_x;
    RowsOf<const T> d_y, x, d_residual;
    RowsOf<const float> weight;
    Groups groups;
    float epsilon;
};

// With h = x r, r = 1 / rms(x), and g = d_y * weight:  d_x = r (g - h mean(g h)).
template <int kTeam, class T> __global__ void __launch_bounds__(kThreads) rms_norm_backward_kernel(Backward<T> norm) {
    const Place place = Place::of_team<kTeam>(norm.groups);
    float squares = 0.0f, dot = 0.0f;
    for (std::int64_t c = place.first; c < place.width; c += kTeam * kEight) {
        const std::int64_t left = place.width - c;
        const Eight x = norm.x.load(place.row, place.begin + c, left), d_y = norm.d_y.load(place.row, place.begin + c, left);
        const Eight weight = norm.weight.load(0, c, left);
#pragma unroll
        for (int i = 0; i < kEight; ++i) {
            squares = fmaf(x[i], x[i], squares);
            dot = fmaf(d_y[i] * weight[i], x[i], dot);
        }
    }
    squares = sum_of_team<kTeam>(squares, 0);
    dot = sum_of_team<kTeam>(dot, 1);
    const auto width = static_cast<float>(norm.groups.width);
    const float r = 1.0f / sqrtf(squares / width + norm.epsilon), along = -r * r * r * dot / width;
    for (std::int64_t c = place.first; c < place.width; c += kTeam * kEight) {
        const std::int64_t left = place.width - c;
        const Eight x = norm.x.load(place.row, place.begin + c, left), d_y = norm.d_y.load(place.row, place.begin + c, left);
        const Eight weight = norm.weight.load(0, c, left);
        Eight d_x;
#pragma unroll
        for (int i = 0; i < kEight; ++i) d_x[i] = fmaf(d_y[i] * weight[i], r, x[i] * along);
        if (!norm.d_residual.empty()) {
            const Eight bypass = norm.d_residual.load(place.row, place.begin + c, left);
#pragma unroll
            for (int i = 0; i < kEight; ++i) d_x[i] = d_x[i] + bypass[i];
        }
        norm.d_x.store(place.row, place.begin + c, d_x, left);
    }
}

// One of the kernels, by the width.
template <class Norm> struct Kernels {
    void (*of_8)(Norm);
    void (*of_16)(Norm);
    void (*of_warp)(Norm);
    void (*of_block)(Norm);
};

template <class Norm> void launch_norm(Stream& stream, const Kernels<Norm>& kernels, const Norm& norm) {
    const std::int64_t steps = blocks(norm.groups.width, kEight);
    const int team = steps <= 8 ? 8 : steps <= 16 ? 16 : steps <= 256 ? kWarp : kThreads;
    const auto kernel = team == 8 ? kernels.of_8 : team == 16 ? kernels.of_16 : team == kWarp ? kernels.of_warp : kernels.of_block;
    const int shared_bytes = team == kThreads ? 2 * kThreads / kWarp * static_cast<int>(sizeof(float)) : 0;
    launch(stream, kernel, {blocks(norm.groups.count, kThreads / team)}, kThreads, shared_bytes, norm);
}

}  // namespace

void rms_norm(Stream& stream, View y, View x, View weight, float epsilon, View residual) {
    const Groups groups(x);
    for_floating(x.dtype, [&](auto number) {
        using T = decltype(number);
        constexpr Kernels<Forward<T>> kKernels = {rms_norm_kernel<8, T>, rms_norm_kernel<16, T>, rms_norm_kernel<kWarp, T>,
                                                  rms_norm_kernel<kThreads, T>};
        launch_norm<Forward<T>>(
            stream, kKernels,
            {groups.rows<T>(y), groups.rows<const T>(x), groups.rows<const T>(residual), rows_of<const float>(weight), groups, epsilon});
    });
}

void rms_norm_backward(Stream& stream, View d_x, View d_y, View x, View weight, float epsilon, View d_residual) {
    const Groups groups(x);
    for_floating(x.dtype, [&](auto number) {
        using T = decltype(number);
        constexpr Kernels<Backward<T>> kKernels = {rms_norm_backward_kernel<8, T>, rms_norm_backward_kernel<16, T>,
                                                   rms_norm_backward_kernel<kWarp, T>, rms_norm_backward_kernel<kThreads, T>};
        launch_norm<Backward<T>>(stream, kKernels,
                                 {groups.rows<T>(d_x), groups.rows<const T>(d_y), groups.rows<const T>(x), groups.rows<const T>(d_residual),
                                  rows_of<const float>(weight), groups, epsilon});
    });
}

}  // namespace temper::cuda
