// Tiles of bfloat16 rows in shared memory and their products on tensor cores, for attention with heads padded to D numbers.
// Layout of registers: an accumulator (16, 8) holds rows lane / 4 and lane / 4 + 8, columns 2 (lane % 4) and the one behind; two of them side by side
// are, rounded, a left operand (16, 16): probabilities go from product to product without leaving the registers.          [PTX ISA; Dao 2023, 3.3]
#pragma once
#include "kernels/cuda/attention_rows.h"

namespace temper::cuda {

constexpr int kTensorThreads = 128, kTensorWarps = kTensorThreads / kWarp;

// Where a number of a tile stands: pieces of 16 bytes change places so that a column of pieces of 8 rows lies in 8 groups of banks.
template <int D> __device__ int tile_at(int row, int column) {
    const int turn = D % 64 == 0 ? row & 7 : row >> 1 & 3;
    return row * D + ((column >> 3 ^ turn) << 3) + (column & 7);
}

// The same, `row` rows (a multiple of 8) and `column` columns on from what stands at `at`, whose own column shares no bit with `column`: few
// registers hold the addresses of all operands.
template <int D> __device__ int tile_step(int at, int row, int column) {
    constexpr int turned = D % 64 == 0 ? 63 : 31;
    return (at ^ (column & turned)) + row * D + (column & ~turned);
}

// Where this lane's line of an operand stands: of a left one (16, 16), or two right ones whose depth is rows, from row 0 and column 0 on; of two
// right ones (16, 8) whose columns are 16 rows and whose depth is 16 columns.
template <int D> __device__ int line_of_left() {
    const int lane = anew(lane_index());
    return tile_at<D>(lane % 16, lane / 16 * 8);
}
template <int D> __device__ int line_of_right() {
    const int lane = anew(lane_index());
    return tile_at<D>(lane % 8 + lane / 16 * 8, lane / 8 % 2 * 8);
}

template <int M, int N> __device__ void set_zero(float (&sums)[M][N][4]) {
#pragma unroll
    for (int m = 0; m < M; ++m)
#pragma unroll
        for (int n = 0; n < N; ++n)
#pragma unroll
            for (int e = 0; e < 4; ++e) sums[m][n][e] = 0.0f;
}

// scores (16 M, 8 N) = rows [row, +16 M) of `left` times rows [other, +8 N) of `right`, transposed.
template <int D, int M, int N> __device__ void multiply_rows(float (&scores)[M][N][4], Shared<bf16> left, int row, Shared<bf16> right, int other) {
    set_zero(scores);
    const int left_line = line_of_left<D>() + row * D, right_line = line_of_right<D>();
#pragma unroll
    for (int k = 0; k < D; k += 16) {
        std::uint32_t a[M][4];
#pragma unroll
        for (int m = 0; m < M; ++m) load_matrix_x4(a[m], left, tile_step<D>(left_line, 16 * m, k));
#pragma unroll
        for (int n = 0; n < N; n += 2) {
            std::uint32_t b[4];
            load_matrix_x4(b, right, tile_step<D>(right_line, other + 8 * n, k));
#pragma unroll
            for (int m = 0; m < M; ++m) {
                multiply_add(scores[m][n], a[m], b[0], b[1]);
                multiply_add(scores[m][n + 1], a[m], b[2], b[3]);
            }
        }
    }
}

// sums (16 M, 8 C) += p (16 M, 8 N), rounded, times rows [0, 8 N) and columns [column, +8 C) of `right`.
template <int D, int M, int N, int C>
__device__ void multiply_columns(float (&sums)[M][C][4], const float (&p)[M][N][4], Shared<bf16> right, int column) {
    const int line = line_of_left<D>();
#pragma unroll
    for (int k = 0; k < N; k += 2) {
        std::uint32_t a[M][4];
#pragma unroll
        for (int m = 0; m < M; ++m) {
            a[m][0] = round_pair(p[m][k][0], p[m][k][1]), a[m][1] = round_pair(p[m][k][2], p[m][k][3]);
            a[m][2] = round_pair(p[m][k + 1][0], p[m][k + 1][1]), a[m][3] = round_pair(p[m][k + 1][2], p[m][k + 1][3]);
        }
#pragma unroll
        for (int n = 0; n < C; n += 2) {
            std::uint32_t b[4];
            load_matrix_x4_transposed(b, right, tile_step<D>(line, 8 * k, column + 8 * n));
#pragma unroll
            for (int m = 0; m < M; ++m) {
                multiply_add(sums[m][n], a[m], b[0], b[1]);
                multiply_add(sums[m][n + 1], a[m], b[2], b[3]);
            }
        }
    }
}

// Rows of `d` numbers to a tile, asynchronously; where(row) is a row's offset, below 0: none. What is not there becomes zero.
template <int D, int Rows, class Where> __device__ void load_tile(Shared<bf16> tile, Global<const bf16> from, int d, const Where& where) {
#pragma unroll 2
    for (int i = anew(thread_index()); i < Rows * D / 8; i += kTensorThreads) {
        const int row = i / (D / 8), column = i % (D / 8) * 8;
        const std::int64_t offset = where(row);
        copy_async16(tile, tile_at<D>(row, column), from, offset + column, offset >= 0 && column < d);
    }
}
template <int D, int Rows>
__device__ void load_keys(Shared<bf16> tile, Global<const bf16> from, const AttentionShape& shape, const RowTask& task, std::int64_t stride,
                          int first) {
    load_tile<D, Rows>(tile, from, shape.d, [&](int row) { return key_offset(shape, task, first + row, stride); });
}
template <int D, int Rows>
__device__ void load_rows(Shared<bf16> tile, Global<const bf16> from, const AttentionShape& shape, const RowTask& task, std::int64_t stride) {
    load_tile<D, Rows>(tile, from, shape.d, [&](int row) { return row_offset(shape, task, row, stride); });
}

// sums (16 M, 8 C) times a factor a row, rounded, to rows [row, +16 M) and columns [column, +8 C) of a tile.
template <int D, int M, int C, class Factor>
__device__ void round_to_tile(Shared<bf16> tile, int row, int column, const float (&sums)[M][C][4], const Factor& factor) {
    const int lane = anew(lane_index()), line = tile_at<D>(lane / 4, lane % 4 * 2) + row * D;
#pragma unroll
    for (int m = 0; m < M; ++m)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const float by = factor(m, half);
#pragma unroll
            for (int n = 0; n < C; ++n) {
                // + 0 makes a zero positive, whichever hidden keys were added as zeros.
                Pack<bf16, 2> pair;
                pair[0] = round_to<bf16>(fmaf(sums[m][n][2 * half], by, 0.0f)), pair[1] = round_to<bf16>(fmaf(sums[m][n][2 * half + 1], by, 0.0f));
                store_pack(tile, tile_step<D>(line, 16 * m + 8 * half, column + 8 * n), pair);
            }
        }
}
// Rows [row, +Rows) of a tile to memory, by `threads` threads of which this is number `thread`.
template <int D, int Rows, class Where>
__device__ void store_tile(Global<bf16> to, Shared<bf16> tile, int row, int d, int thread, int threads, const Where& where) {
#pragma unroll 1
    for (int i = thread; i < Rows * D / 8; i += threads) {
        const int at = row + i / (D / 8), column = i % (D / 8) * 8;
        const std::int64_t offset = where(at);
        if (offset >= 0 && column < d) store_pack<8>(to, offset + column, load_pack<8>(tile, tile_at<D>(at, column)));
    }
}

}  // namespace temper::cuda
