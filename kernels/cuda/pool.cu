// The ends of an encoder: the sum of embeddings, pooling of segments and normalisation. Every sum is one thread's, in the order of its terms, or one
// team's of fixed size: no other row changes a bit.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/rows.h"
#include "kernels/cuda/team.h"

namespace temper::cuda {
namespace {

constexpr int kMostParts = 4;

template <class T> struct SumParts {
    struct Part {
        RowsOf<const T> table;
        Global<const std::int32_t> ids;
        std::int64_t rows;
    };
    RowsOf<T> out;
    Part parts[kMostParts];
    std::int64_t count, width;

    __device__ void operator()(std::int64_t row, std::int64_t column) const {
        Eight sum{};
        for (std::int64_t p = 0; p < count; ++p) {
            const std::int32_t id = parts[p].ids[row];
            if (id >= parts[p].rows) continue;
            const Eight more = parts[p].table.load(id, column, width - column);
#pragma unroll
            for (int i = 0; i < kEight; ++i) sum[i] = sum[i] + more[i];
        }
        out.store(row, column, sum, width - column);
    }
};

// A segment's rows one after another; weights are 1, or 1, 2, ... n of the weighted mean.
template <class T> struct Pool {
    RowsOf<float> out;
    RowsOf<const T> x;
    Global<const Segment> segments;
    std::int64_t width;
    ops::Pooling mode;

    __device__ float divisor(float length) const {
        if (mode == ops::Pooling::mean) return length;
        if (mode == ops::Pooling::mean_sqrt_length) return sqrtf(length);
        return mode == ops::Pooling::weighted_mean ? length * (length + 1.0f) / 2.0f : 1.0f;
    }
    __device__ void operator()(std::int64_t row, std::int64_t column) const {
        const Segment segment = segments[row];
        const std::int64_t left = width - column;
        if (segment.length == 0) return out.store(row, column, Eight{}, left);
        const bool alone = mode == ops::Pooling::cls || mode == ops::Pooling::last;
        const std::int64_t first = mode == ops::Pooling::last ? segment.begin + segment.length - 1 : segment.begin;
        Eight sum = x.load(first, column, left);
        for (std::int64_t k = 1; !alone && k < segment.length; ++k) {
            const Eight more = x.load(segment.begin + k, column, left);
            const float weight = mode == ops::Pooling::weighted_mean ? static_cast<float>(k + 1) : 1.0f;
#pragma unroll
            for (int i = 0; i < kEight; ++i) {
                const float larger = sum[i] > more[i] ? sum[i] : more[i];  // a NaN of the row stays
                sum[i] = mode == ops::Pooling::max ? larger : fmaf(more[i], weight, sum[i]);
            }
        }
        const float factor = 1.0f / divisor(static_cast<float>(segment.length));
#pragma unroll
        for (int i = 0; i < kEight; ++i) sum[i] = alone || mode == ops::Pooling::max ? sum[i] : sum[i] * factor;
        out.store(row, column, sum, left);
    }
};

constexpr int kThreads = 256;

// A warp a row.
__global__ void __launch_bounds__(kThreads) normalize_kernel(RowsOf<float> x, std::int64_t rows, std::int64_t width) {
    const std::int64_t row = std::int64_t{blockIdx.x} * (kThreads / kWarp) + threadIdx.x / kWarp, count = row < rows ? width : 0;
    const std::int64_t begin = static_cast<std::int64_t>(threadIdx.x % kWarp) * kEight;
    float squares = 0.0f;
    for (std::int64_t c = begin; c < count; c += kWarp * kEight) {
        const Eight numbers = x.load(row, c, count - c);
#pragma unroll
        for (int i = 0; i < kEight; ++i) squares = fmaf(numbers[i], numbers[i], squares);
    }
    const float length = sqrtf(sum_of_team<kWarp>(squares, 0)), divisor = length < 1e-12f ? 1e-12f : length;
    for (std::int64_t c = begin; c < count; c += kWarp * kEight) {
        Eight numbers = x.load(row, c, count - c);
#pragma unroll
        for (int i = 0; i < kEight; ++i) numbers[i] = numbers[i] / divisor;
        x.store(row, c, numbers, count - c);
    }
}

}  // namespace

void embedding_sum(Stream& stream, View out, Span<const ops::EmbeddingPart> parts) {
    for_floating(out.dtype, [&](auto number) {
        using T = decltype(number);
        SumParts<T> sum{};
        sum.out = rows_of<T>(out);
        sum.count = static_cast<std::int64_t>(parts.size());
        sum.width = out.size(1);
        for (std::size_t p = 0; p < parts.size(); ++p)
            sum.parts[p] = {rows_of<const T>(parts[p].table), global<const std::int32_t>(parts[p].ids), parts[p].table.size(0)};
        map_rows(stream, sum, out.size(0), out.size(1));
    });
}

void pool(Stream& stream, View out, View x, Span<const Segment> segments, ops::Pooling mode) {
    for_floating(x.dtype, [&](auto number) {
        using T = decltype(number);
        const Pool<T> pool = {rows_of<float>(out), rows_of<const T>(x), upload(stream, segments), x.size(1), mode};
        map_rows(stream, pool, out.size(0), out.size(1));
    });
}

void l2_normalize(Stream& stream, View x) {
    launch(stream, normalize_kernel, {blocks(x.size(0), kThreads / kWarp)}, kThreads, 0, rows_of<float>(x), x.size(0), x.size(1));
}

}  // namespace temper::cuda
