// A block makes 128 columns of the gradients of one leaf, for up to 64 ranks. bfloat16: steps of 32 tokens come through shared memory by asynchronous
// copies, several under way, and go through the tensor cores with the tokens as depth: both operands are stored token by token, so both are
// loaded transposed. float32: a thread has a column.
#include "kernels/cuda/leaf_sum.h"

#include <algorithm>

#include "kernels/cuda/slots.h"

namespace temper::cuda {
namespace {

constexpr int kThreads = 128, kColumns = 128, kTokens = 32;
constexpr int kAlign = static_cast<int>(kRowPack);
constexpr int kWarpColumns = kColumns / (kThreads / kWarp);

template <class T> struct Operand {
    Global<const T> data;
    std::int64_t stride, columns;  // whole packs
};

template <class T> Operand<T> operand(const View& view) { return {global<const T>(view), view.row_stride(), round_up(view.size(1), kRowPack)}; }

// What a block makes: ranks [rank_begin, rank_end) of the border by columns [begin, end) of the right operand.
struct Part {
    int rank_begin, rank_end, begin, end;
    int first_rank, first_column;  // of this block, at multiples of a pack
    int slot;                      // -1: each rank's own (d_A)
};

struct Parts {
    Global<const Slot> slots;
    int count;                     // of all slots
    int rank_begin, rank_end, in;  // d_A
    bool is_b;

    // Of a tile of columns; false where there is none.
    __device__ bool find(Part& part, int tile, int rank_step) const {
        if (is_b) {
            int i = 0;
            for (; i < count; ++i) {
                const Slot slot = slots[i];
                const int begin = static_cast<int>(slot.out_begin), end = begin + static_cast<int>(slot.out_size);
                const int aligned = begin / kAlign * kAlign, tiles = (end - aligned + kColumns - 1) / kColumns;
                if (tile < tiles) {
                    const int rank = static_cast<int>(slot.rank_begin);
                    part = {rank, rank + static_cast<int>(slot.rank), begin, end, 0, aligned + tile * kColumns, i};
                    break;
                }
                tile -= tiles;
            }
            if (i == count) return false;
        } else {
            part = {rank_begin, rank_end, 0, in, 0, tile * kColumns, -1};
        }
        part.first_rank = part.rank_begin / kAlign * kAlign + rank_step;
        return part.first_rank < part.rank_end;
    }
    __device__ void store(Global<float> out, const Part& part, int rank, int column, float value) const {
        if (rank < part.rank_begin || rank >= part.rank_end || column < part.begin || column >= part.end) return;
        const Slot slot = slots[part.slot >= 0 ? part.slot : slot_of_rank(slots, count, rank)];
        const std::int64_t r = rank - slot.rank_begin;
        out[part.slot >= 0 ? slot.offset_b + (column - slot.out_begin) * slot.rank + r : slot.offset_a + r * std::int64_t{in} + column] = value;
    }
};

template <int kRankTiles> struct Stage {
    static constexpr int kRanks = 16 * kRankTiles;
    static constexpr int kLeftStride = kRanks + kAlign, kRightStride = kColumns + kAlign;  // rows of a matrix of 8 lie in different banks
    static constexpr int kLeft = kTokens * kLeftStride, kElements = kLeft + kTokens * kRightStride;
    static constexpr int kStages = kRankTiles > 2 ? 3 : 4;
    static constexpr int kBytes = kStages * kElements * static_cast<int>(sizeof(bf16));
};

// 32 tokens from `token` on, those behind the leaf's last zero.
template <int kRankTiles>
__device__ void load_stage(Shared<bf16> stage, const Operand<bf16>& left, const Operand<bf16>& right, const Part& part, const Leaf& leaf,
                           std::int64_t token) {
    using S = Stage<kRankTiles>;
    constexpr int kLeftPacks = S::kRanks / kAlign, kRightPacks = kColumns / kAlign;
    for (int i = static_cast<int>(threadIdx.x); i < kTokens * kLeftPacks; i += kThreads) {
        const int t = i / kLeftPacks, c = i % kLeftPacks * kAlign;
        const bool valid = token + t < leaf.length && part.first_rank + c < left.columns;
        copy_async16(stage, t * S::kLeftStride + c, left.data, (leaf.begin + token + t) * left.stride + part.first_rank + c, valid);
    }
    for (int i = static_cast<int>(threadIdx.x); i < kTokens * kRightPacks; i += kThreads) {
        const int t = i / kRightPacks, c = i % kRightPacks * kAlign;
        const bool valid = token + t < leaf.length && part.first_column + c < right.columns;
        copy_async16(stage, S::kLeft + t * S::kRightStride + c, right.data, (leaf.begin + token + t) * right.stride + part.first_column + c, valid);
    }
}

template <int kRankTiles> __device__ void multiply_stage(float (&sums)[kRankTiles][kWarpColumns / 8][4], Shared<bf16> stage, int warp, int lane) {
    using S = Stage<kRankTiles>;
    const int matrix = lane / 8, row = lane % 8;
#pragma unroll
    for (int t = 0; t < kTokens; t += 16) {
        std::uint32_t left[kRankTiles][4];
#pragma unroll
        for (int i = 0; i < kRankTiles; ++i)
            load_matrix_x4_transposed(left[i], stage, (t + matrix / 2 * 8 + row) * S::kLeftStride + i * 16 + matrix % 2 * 8);
#pragma unroll
        for (int j = 0; j < kWarpColumns / 16; ++j) {
            std::uint32_t right[4];
            load_matrix_x4_transposed(right, stage,
                                      S::kLeft + (t + matrix % 2 * 8 + row) * S::kRightStride + warp * kWarpColumns + j * 16 + matrix / 2 * 8);
#pragma unroll
            for (int i = 0; i < kRankTiles; ++i) {
                multiply_add(sums[i][2 * j], left[i], right[0], right[1]);
                multiply_add(sums[i][2 * j + 1], left[i], right[2], right[3]);
            }
        }
    }
}

template <int kRankTiles>
__global__ void __launch_bounds__(kThreads) leaf_sum_kernel(Global<float> d_adapter, std::int64_t d_adapter_stride, Global<const Leaf> leaves,
                                                            Operand<bf16> left, Operand<bf16> right, Parts parts) {
    using S = Stage<kRankTiles>;
    Part part;
    if (!parts.find(part, static_cast<int>(blockIdx.y), static_cast<int>(blockIdx.z) * S::kRanks)) return;
    const Leaf leaf = leaves[blockIdx.x];
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    const Shared<bf16> memory = shared<bf16>(0, S::kStages * S::kElements);
    float sums[kRankTiles][kWarpColumns / 8][4] = {};
    const int steps = static_cast<int>((leaf.length + kTokens - 1) / kTokens);
    for (int step = 0; step < S::kStages - 1; ++step) {
        if (step < steps) load_stage<kRankTiles>(memory + step * S::kElements, left, right, part, leaf, std::int64_t{step} * kTokens);
        copy_async_commit();
    }
    for (int step = 0; step < steps; ++step) {
        copy_async_wait<S::kStages - 2>();
        __syncthreads();
        const int next = step + S::kStages - 1;
        if (next < steps) load_stage<kRankTiles>(memory + next % S::kStages * S::kElements, left, right, part, leaf, std::int64_t{next} * kTokens);
        copy_async_commit();
        multiply_stage<kRankTiles>(sums, memory + step % S::kStages * S::kElements, warp, lane);
    }
    const Global<float> out = d_adapter + std::int64_t{blockIdx.x} * d_adapter_stride;
#pragma unroll
    for (int i = 0; i < kRankTiles; ++i)
#pragma unroll
        for (int j = 0; j < kWarpColumns / 8; ++j)
#pragma unroll
            for (int k = 0; k < 4; ++k) {
                const int rank = part.first_rank + i * 16 + k / 2 * 8 + lane / 4;
                const int column = part.first_column + warp * kWarpColumns + j * 8 + lane % 4 * 2 + k % 2;
                parts.store(out, part, rank, column, sums[i][j][k]);
            }
}

constexpr int kFloatRanks = 16;

__global__ void __launch_bounds__(kThreads) leaf_sum_f32_kernel(Global<float> d_adapter, std::int64_t d_adapter_stride, Global<const Leaf> leaves,
                                                                Operand<float> left, Operand<float> right, Parts parts) {
    Part part;
    if (!parts.find(part, static_cast<int>(blockIdx.y), static_cast<int>(blockIdx.z) * kFloatRanks)) return;
    const Leaf leaf = leaves[blockIdx.x];
    const int thread = static_cast<int>(threadIdx.x);
    const Shared<float> tile = shared<float>(0, kTokens * kFloatRanks);
    const int column = part.first_column + thread;
    float sums[kFloatRanks] = {};
    for (std::int64_t first = 0; first < leaf.length; first += kTokens) {
        const int tokens = static_cast<int>(min(std::int64_t{kTokens}, leaf.length - first));
        __syncthreads();
        for (int i = thread; i < kTokens * kFloatRanks; i += kThreads) {
            const int t = i / kFloatRanks, r = i % kFloatRanks;
            const bool valid = t < tokens && part.first_rank + r < left.columns;
            tile[i] = valid ? left.data[(leaf.begin + first + t) * left.stride + part.first_rank + r] : 0.0f;
        }
        __syncthreads();
        for (int t = 0; t < tokens; ++t) {
            const float number = column < right.columns ? right.data[(leaf.begin + first + t) * right.stride + column] : 0.0f;
#pragma unroll
            for (int r = 0; r < kFloatRanks; ++r) sums[r] = __fmaf_rn(tile[t * kFloatRanks + r], number, sums[r]);
        }
    }
    const Global<float> out = d_adapter + std::int64_t{blockIdx.x} * d_adapter_stride;
#pragma unroll
    for (int r = 0; r < kFloatRanks; ++r) parts.store(out, part, part.first_rank + r, column, sums[r]);
}

template <int kRankTiles>
void launch_tiles(Stream& stream, const View& d_adapter, Global<const Leaf> leaves, const View& left, const View& right, const Parts& parts,
                  Grid grid, std::int64_t ranks) {
    using S = Stage<kRankTiles>;
    grid.z = blocks(ranks, S::kRanks);
    launch(stream, leaf_sum_kernel<kRankTiles>, grid, kThreads, S::kBytes, global<float>(d_adapter), d_adapter.row_stride(), leaves,
           operand<bf16>(left), operand<bf16>(right), parts);
}

// ranks: the most that a part has, counted from a multiple of a pack.
void sum(Stream& stream, const View& d_adapter, Span<const Leaf> leaves, const View& left, const View& right, const Parts& parts, std::int64_t tiles,
         std::int64_t ranks) {
    Grid grid{static_cast<std::int64_t>(leaves.size()), tiles};
    const Global<const Leaf> table = upload(stream, leaves);
    if (left.dtype == DType::f32) {
        grid.z = blocks(ranks, kFloatRanks);
        launch(stream, leaf_sum_f32_kernel, grid, kThreads, kTokens * kFloatRanks * static_cast<int>(sizeof(float)), global<float>(d_adapter),
               d_adapter.row_stride(), table, operand<float>(left), operand<float>(right), parts);
    } else if (ranks <= 16) {
        launch_tiles<1>(stream, d_adapter, table, left, right, parts, grid, ranks);
    } else if (ranks <= 32) {
        launch_tiles<2>(stream, d_adapter, table, left, right, parts, grid, ranks);
    } else {
        launch_tiles<4>(stream, d_adapter, table, left, right, parts, grid, ranks);
    }
}

Parts parts_of(Stream& stream, const BorderedLinear& w) {
    const std::vector<Slot> slots = slots_of(w);
    return {upload(stream, Span<const Slot>(slots)), static_cast<int>(slots.size()), 0, 0, static_cast<int>(w.in), false};
}

}  // namespace

void sum_a(Stream& stream, const BorderedLinear& w, const LeafOperands& operands, Span<const Leaf> leaves, std::size_t first, std::size_t end) {
    Parts parts = parts_of(stream, w);
    parts.rank_begin = static_cast<int>(w.rank_begin[first]);
    parts.rank_end = static_cast<int>(w.rank_begin[end - 1] + w.adapters[end - 1].rank);
    sum(stream, operands.d_adapter, leaves, operands.d_s, operands.x, parts, blocks(w.in, kColumns),
        parts.rank_end - parts.rank_begin / kAlign * kAlign);
}

void sum_b(Stream& stream, const BorderedLinear& w, const LeafOperands& operands, Span<const Leaf> leaves) {
    Parts parts = parts_of(stream, w);
    parts.is_b = true;
    std::int64_t tiles = 0, ranks = 0;
    for (std::size_t i = 0; i < w.adapters.size(); ++i) {
        const AdapterSlot& slot = w.adapters[i];
        tiles += blocks(slot.out_begin % kRowPack + slot.out_size, kColumns);
        ranks = std::max(ranks, w.rank_begin[i] % kRowPack + slot.rank);
    }
    sum(stream, operands.d_adapter, leaves, operands.s, operands.d_y, parts, tiles, ranks);
}

}  // namespace temper::cuda
