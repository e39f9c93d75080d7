// Tiles of float rows in shared memory and their products, for heads padded to 64, 128, 256 or 512 numbers. A thread has a few rows of the tile that
// its block owns, the 16 threads of half a warp have the same rows; of the other tile's rows each has every 16th, of the columns every 16th four.
#pragma once
#include "kernels/cuda/attention_rows.h"

namespace temper::cuda {

template <int Chunks> struct GeneralTile {
    static constexpr int side = Chunks <= 2 ? 32 : 16;  // rows of a tile
    static constexpr int width = 64 * Chunks, stride = width + 4, numbers = side * stride;
    static constexpr int threads = Chunks <= 4 ? 128 : 256;
    static constexpr int R = side / (threads / 16), K = side / 16;  // of a thread: rows that it owns, rows of the other tile
    static constexpr int pairs = side + 4;                          // stride of a tile of pairs (side, side)

    static __device__ Shared<float> tile(int index) { return shared<float>(index * numbers * 4, numbers); }
    static __device__ Shared<float> pair_tile(int tiles) { return shared<float>(tiles * numbers * 4, side * pairs); }
    static constexpr int bytes(int tiles, int pair_tiles) { return (tiles * numbers + pair_tiles * side * pairs) * 4; }
};
__device__ inline int thread_row() { return thread_index() / 16; }
__device__ inline int thread_column() { return thread_index() % 16; }

// Rows of d numbers to a tile; where(row) is a row's offset, below 0: none. What is not there is zero.
template <int Chunks, class T, class Where> __device__ void load_general(Shared<float> tile, Global<const T> from, int d, const Where& where) {
    using G = GeneralTile<Chunks>;
    for (int i = thread_index(); i < G::side * G::width; i += G::threads) {
        const int row = i / G::width, column = i % G::width;
        const std::int64_t offset = column < d ? where(row) : -1;
        float number = 0.0f;
        if (offset >= 0) {
            const T stored = from[offset + column];
            number = to_float(stored);
        }
        tile[row * G::stride + column] = number;
    }
}

// products (R, K) = the thread's rows of `left` times its rows of `right`, transposed, over d numbers.
template <int Chunks>
__device__ void multiply_general(float (&products)[GeneralTile<Chunks>::R][GeneralTile<Chunks>::K], Shared<float> left, Shared<float> right, int d) {
    using G = GeneralTile<Chunks>;
#pragma unroll
    for (int r = 0; r < G::R; ++r)
#pragma unroll
        for (int k = 0; k < G::K; ++k) products[r][k] = 0.0f;
    for (int e = 0; e < d; e += 4) {
        Pack<float, 4> a[G::R], b[G::K];
#pragma unroll
        for (int r = 0; r < G::R; ++r) a[r] = load_pack<4>(left, (thread_row() * G::R + r) * G::stride + e);
#pragma unroll
        for (int k = 0; k < G::K; ++k) b[k] = load_pack<4>(right, (thread_column() + 16 * k) * G::stride + e);
#pragma unroll
        for (int r = 0; r < G::R; ++r)
#pragma unroll
            for (int k = 0; k < G::K; ++k)
#pragma unroll
                for (int i = 0; i < 4; ++i) products[r][k] = fmaf(a[r][i], b[k][i], products[r][k]);
    }
}

template <int Chunks> using GeneralSums = float[GeneralTile<Chunks>::R][4 * Chunks];

// Pairs (R, K) of the thread to a tile that its half of the warp alone reads.
template <int Chunks> __device__ void keep_pairs(Shared<float> tile, const float (&pairs)[GeneralTile<Chunks>::R][GeneralTile<Chunks>::K]) {
    using G = GeneralTile<Chunks>;
#pragma unroll
    for (int r = 0; r < G::R; ++r)
#pragma unroll
        for (int k = 0; k < G::K; ++k) tile[(thread_row() * G::R + r) * G::pairs + thread_column() + 16 * k] = pairs[r][k];
    __syncwarp();
}
// sums += the thread's rows of pairs times all rows of `right`, in their order.
template <int Chunks> __device__ void add_general(GeneralSums<Chunks>& sums, Shared<float> pairs, Shared<float> right) {
    using G = GeneralTile<Chunks>;
#pragma unroll 1
    for (int k = 0; k < G::side; ++k) {
        float weight[G::R];
#pragma unroll
        for (int r = 0; r < G::R; ++r) weight[r] = pairs[(thread_row() * G::R + r) * G::pairs + k];
#pragma unroll
        for (int c = 0; c < Chunks; ++c) {
            const Pack<float, 4> line = load_pack<4>(right, k * G::stride + 64 * c + thread_column() * 4);
#pragma unroll
            for (int r = 0; r < G::R; ++r)
#pragma unroll
                for (int i = 0; i < 4; ++i) sums[r][4 * c + i] = fmaf(weight[r], line[i], sums[r][4 * c + i]);
        }
    }
    __syncwarp();
}
template <int Chunks> __device__ void zero_general(GeneralSums<Chunks>& sums) {
#pragma unroll
    for (int r = 0; r < GeneralTile<Chunks>::R; ++r)
#pragma unroll
        for (int i = 0; i < 4 * Chunks; ++i) sums[r][i] = 0.0f;
}

// The thread's sums times a factor to the rows of memory that where(row) names.
template <int Chunks, class T, class Where>
__device__ void store_general(Global<T> to, const GeneralSums<Chunks>& sums, int d, const float (&factor)[GeneralTile<Chunks>::R],
                              const Where& where) {
    using G = GeneralTile<Chunks>;
#pragma unroll
    for (int r = 0; r < G::R; ++r) {
        const std::int64_t offset = where(thread_row() * G::R + r);
#pragma unroll
        for (int i = 0; i < 4 * Chunks; ++i) {
            const int column = i / 4 * 64 + thread_column() * 4 + i % 4;
            // + 0 makes a zero positive, whichever hidden keys were added as zeros.
            if (offset >= 0 && column < d) to[offset + column] = round_to<T>(fmaf(sums[r][i], factor[r], 0.0f));
        }
    }
}

}  // namespace temper::cuda
