#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/rows.h"

namespace temper::cuda {
namespace {

template <class T> struct TakeRow {
    RowsOf<T> out;
    RowsOf<const T> table;
    Global<const std::int32_t> ids;
    std::int64_t rows, width;

    __device__ void operator()(std::int64_t row, std::int64_t column) const {
        const std::int32_t id = ids[row];
        if (id < rows) out.move(row, table, id, column, width - column);
        else out.store(row, column, Eight{}, width - column);
    }
};

struct Clear {
    RowsOf<float> rows;
    std::int64_t width;

    __device__ void operator()(std::int64_t row, std::int64_t column) const { rows.store(row, column, Eight{}, width - column); }
};

// Tokens by their ids, those of one id in their order: `sorted[p]` is the token that has p tokens before it. Each thread counts them for its
// token: n^2 comparisons, 64 K tokens in half a millisecond, without a sort's passes or anything that other threads must have done.
constexpr int kTile = 256;

__global__ void __launch_bounds__(kTile) sort_kernel(Global<std::int32_t> sorted, Global<const std::int32_t> ids, std::int32_t n) {
    const Shared<std::int32_t> tile = shared<std::int32_t>(0, kTile);
    const auto thread = static_cast<std::int32_t>(threadIdx.x), token = static_cast<std::int32_t>(blockIdx.x) * kTile + thread;
    const std::int32_t mine = token < n ? ids[token] : 0;
    std::int32_t before = 0;
    for (std::int32_t first = 0; first < n; first += kTile) {
        __syncthreads();
        // Behind the last token come ids above all.
        tile[thread] = first + thread < n ? ids[first + thread] : 0x7fffffff;
        __syncthreads();
#pragma unroll 4
        for (std::int32_t i = 0; i < kTile; i += 4) {
            const Pack<std::int32_t, 4> others = load_pack<4>(tile, i);
#pragma unroll
            for (int k = 0; k < 4; ++k) before += others[k] < mine || (others[k] == mine && first + i + k < token) ? 1 : 0;
        }
    }
    if (token < n) sorted[before] = token;
}

// Whoever is at the first token of an id, in `sorted`, adds the rows of all of them to the id's row of the table, one after another. Several rows
// are under way at a time: a frequent token has thousands.
template <class T> struct SumRows {
    static constexpr int kAhead = 4;
    RowsOf<float> table;
    RowsOf<const T> d_out;
    Global<const std::int32_t> ids, sorted;
    std::int64_t tokens, width;
    float scale;
    bool accumulate;

    __device__ void operator()(std::int64_t place, std::int64_t column) const {
        const std::int32_t id = id_at(place);
        if (place > 0 && id_at(place - 1) == id) return;
        const std::int64_t left = width - column;
        Eight sum{};
        if (accumulate) sum = table.load(id, column, left);
        bool more = true;
        for (; more; place += kAhead) {
            bool same[kAhead];
            Eight row[kAhead];
#pragma unroll
            for (int a = 0; a < kAhead; ++a) same[a] = place + a < tokens && id_at(place + a) == id;
#pragma unroll
            for (int a = 0; a < kAhead; ++a) row[a] = d_out.load(same[a] ? sorted[place + a] : 0, column, same[a] ? left : 0);
#pragma unroll
            for (int a = 0; a < kAhead; ++a) {
                if (!same[a]) continue;
#pragma unroll
                for (int i = 0; i < kEight; ++i) sum[i] = __fadd_rn(sum[i], __fmul_rn(scale, row[a][i]));  // two roundings, as on the CPU
            }
            more = same[kAhead - 1];
        }
        table.store(id, column, sum, left);
    }
    __device__ std::int32_t id_at(std::int64_t place) const { return ids[sorted[place]]; }
};

}  // namespace

void embedding(Stream& stream, View out, View ids, View table) {
    for_floating(table.dtype, [&](auto number) {
        using T = decltype(number);
        const TakeRow<T> take = {rows_of<T>(out), rows_of<const T>(table), global<const std::int32_t>(ids), table.size(0), out.size(1)};
        map_rows(stream, take, out.size(0), out.size(1));
    });
}

void embedding(Stream& stream, View out, View ids, const BorderedLinear& table) {
    embedding(stream, out, ids, table.expanded(stream, take_scratch<MatrixWork>(stream, table).matrix).weight());
}

void embedding_backward(Stream& stream, View d_table, View ids, View d_out, float scale, bool accumulate) {
    const std::int64_t n = ids.size(0), width = d_table.size(1);
    if (!accumulate) map_rows(stream, Clear{rows_of<float>(d_table), width}, d_table.size(0), width);
    if (n == 0) return;
    const Global<std::int32_t> sorted(static_cast<std::int32_t*>(stream.scratch(static_cast<std::size_t>(n) * sizeof(std::int32_t))), n);
    const Global<const std::int32_t> given = global<const std::int32_t>(ids);
    launch(stream, sort_kernel, {blocks(n, kTile)}, kTile, kTile * static_cast<int>(sizeof(std::int32_t)), sorted, given,
           static_cast<std::int32_t>(n));
    for_floating(d_out.dtype, [&](auto number) {
        using T = decltype(number);
        const SumRows<T> sum = {rows_of<float>(d_table), rows_of<const T>(d_out), given, sorted, n, width, scale, accumulate};
        map_rows(stream, sum, n, width);
    });
}

std::size_t embedding_backward_scratch(std::int64_t tokens) { return static_cast<std::size_t>(tokens) * sizeof(std::int32_t); }

}  // namespace temper::cuda
