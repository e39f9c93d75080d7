// Products of matrices through copy_async16, load_matrix and multiply_add, against plain loops.
#include <random>

#include "tests/cuda/common.h"

namespace temper::cuda {
namespace {

constexpr int kTileM = 32, kTileN = 16, kTileK = 32;  // of a block of two warps, a warp 16 rows
constexpr int kPitch = kTileK + 8;

// Rows `rows` of a tile (rows, kTileK) from a row-major matrix (count, depth); what lies outside is zero.
__device__ void copy_tile(Shared<bf16> tile, int rows, Global<const bf16> from, int first, int count, int depth, int column) {
    for (int i = static_cast<int>(threadIdx.x); i < rows * kTileK / 8; i += static_cast<int>(blockDim.x)) {
        const int r = i / (kTileK / 8), c = i % (kTileK / 8) * 8;
        const bool valid = first + r < count && column + c < depth;
        copy_async16(tile, r * kPitch + c, from, static_cast<std::int64_t>(first + r) * depth + column + c, valid);
    }
}

// c (m, n) = a (m, k) b (n, k)^T, k a multiple of 8, over two stages of tiles.
__global__ void product(Global<float> c, Global<const bf16> a, Global<const bf16> b, int m, int n, int k) {
    constexpr int kStage = (kTileM + kTileN) * kPitch;
    const Shared<bf16> stages = shared<bf16>(0, 2 * kStage);
    const int row = static_cast<int>(blockIdx.y) * kTileM, column = static_cast<int>(blockIdx.x) * kTileN;
    const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
    const int steps = (k + kTileK - 1) / kTileK;
    float sums[2][4] = {};
    for (int step = -1; step < steps; ++step) {
        if (step + 1 < steps) {
            const Shared<bf16> next = stages + (step + 1) % 2 * kStage;
            copy_tile(next, kTileM, a, row, m, k, (step + 1) * kTileK);
            copy_tile(next + kTileM * kPitch, kTileN, b, column, n, k, (step + 1) * kTileK);
        }
        copy_async_commit();
        if (step < 0) continue;
        copy_async_wait<1>();
        __syncthreads();
        const Shared<bf16> here = stages + step % 2 * kStage;
        for (int depth = 0; depth < kTileK; depth += 16) {
            std::uint32_t left[4], right[4];
            load_matrix_x4(left, here, (warp * 16 + lane % 16) * kPitch + depth + lane / 16 * 8);
            load_matrix_x4(right, here + kTileM * kPitch, (lane % 8 + lane / 16 * 8) * kPitch + depth + lane / 8 % 2 * 8);
            multiply_add(sums[0], left, right[0], right[1]);
            multiply_add(sums[1], left, right[2], right[3]);
        }
        __syncthreads();
    }
    for (int half = 0; half < 2; ++half)
        for (int i = 0; i < 4; ++i) {
            const int r = row + warp * 16 + lane / 4 + i / 2 * 8, s = column + half * 8 + lane % 4 * 2 + i % 2;
            if (r < m && s < n) c[static_cast<std::int64_t>(r) * n + s] = sums[half][i];
        }
}

// out[matrix][lane][2] of four transposed 8x8 matrices that lie one behind the other.
__global__ void transposed(Global<bf16> out, Global<const bf16> in) {
    const Shared<bf16> tile = shared<bf16>(0, 256);
    const int lane = static_cast<int>(threadIdx.x);
    for (int i = 0; i < 8; ++i) tile[lane * 8 + i] = in[lane * 8 + i];
    __syncwarp();
    std::uint32_t r[4];
    load_matrix_x4_transposed(r, tile, lane * 8);
    for (int m = 0; m < 4; ++m)
        for (int half = 0; half < 2; ++half) out[m * 64 + lane * 2 + half] = static_cast<bf16>(r[m] >> (16 * half));
}

}  // namespace
}  // namespace temper::cuda

namespace temper::test {
namespace {

std::vector<bf16> random_numbers(std::int64_t count, unsigned seed) {
    std::mt19937 source(seed);
    std::vector<bf16> values(static_cast<std::size_t>(count));
    for (bf16& value : values) value = to_bf16(static_cast<float>(source() % 2001) / 1000.0f - 1.0f);
    return values;
}

TEST(Matrix, ProductOfOddSizes) {
    for (const auto& [m, n, k] : {std::array{1, 1, 8}, std::array{33, 17, 40}, std::array{64, 48, 96}, std::array{70, 5, 200}}) {
        const std::vector<bf16> a = random_numbers(m * k, 1), b = random_numbers(n * k, 2);
        const OnDevice<float> c(m * n);
        run(cuda::product, {(n + 15) / 16, (m + 31) / 32}, 64, 2 * 48 * 40 * 2, c, OnDevice(a), OnDevice(b), m, n, k);
        const std::vector<float> got = c.values();
        for (int i = 0; i < m; ++i)
            for (int j = 0; j < n; ++j) {
                float sum = 0;  // the order that multiply_add states: exact products, one depth after another
                for (int l = 0; l < k; ++l)
                    sum += from_bf16(a[static_cast<std::size_t>(i * k + l)]) * from_bf16(b[static_cast<std::size_t>(j * k + l)]);
                ASSERT_EQ(got[static_cast<std::size_t>(i * n + j)], sum) << m << " x " << n << " x " << k << " at " << i << ", " << j;
            }
    }
}

// Lane l of matrix m holds column l / 4, rows 2 (l % 4) and the next.
TEST(Matrix, TransposedLoad) {
    std::vector<bf16> in(256);
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<bf16>(i);
    const OnDevice<bf16> out(256);
    run(cuda::transposed, {1}, 32, 512, out, OnDevice(in));
    const std::vector<bf16> got = out.values();
    for (std::size_t m = 0; m < 4; ++m)
        for (std::size_t lane = 0; lane < 32; ++lane)
            for (std::size_t half = 0; half < 2; ++half)
                EXPECT_EQ(got[m * 64 + lane * 2 + half], in[m * 64 + (lane % 4 * 2 + half) * 8 + lane / 4]) << m << " " << lane << " " << half;
}

}  // namespace
}  // namespace temper::test
