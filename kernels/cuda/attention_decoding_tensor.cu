// Decoding: a block takes up to 16 rows of one key/value head through the keys of one split. Its warps share each tile: 16 keys each for the scores,
// a quarter of the columns each for the sums. Every number goes the way that it goes in prefill.
#include "kernels/cuda/attention_softmax.h"
#include "kernels/cuda/attention_tensor.h"

namespace temper::cuda {
namespace {

template <int D> struct Decoding {
    static constexpr int rows = kTensorSplitRows, keys = kForwardKeys, C = D / 8 / kTensorWarps;  // accumulators of a warp: scores 2, sums C
    static constexpr int stages = D <= 128 ? 2 : 1;  // tiles in shared memory: one is used while the next arrives
    static constexpr int query_bytes = rows * D * 2, key_bytes = keys * D * 2;
    static constexpr int weights = query_bytes + 2 * stages * key_bytes, largest = weights + rows * keys * 2,
                         totals = largest + kTensorWarps * rows * 4;
    static constexpr int sees = totals + kTensorWarps * rows * 4 * 4;
    static constexpr int shared_bytes = sees + rows * 4;
    static_assert(shared_bytes <= kLeastSharedBytes);

    static __device__ Shared<bf16> tile(int stage, int which) { return shared<bf16>(query_bytes + (2 * stage + which) * key_bytes, keys * D); }
};

// The largest product of each row over the block's keys, from that over the warp's; then 2^(logit - largest) of the warp's keys to shared memory,
// and the rows' totals.
template <int D> __device__ void share_softmax(float (&scores)[1][2][4], Partial (&state)[2], float (&rescale)[2], float factor) {
    const auto largest = shared<float>(Decoding<D>::largest, kTensorWarps * 16), totals = shared<float>(Decoding<D>::totals, kTensorWarps * 64);
    const auto weights = shared<bf16>(Decoding<D>::weights, 16 * kForwardKeys);
    const int lane = lane_index(), warp = warp_index();
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const float top = largest_of_row(fmaxf(largest_of_pair(scores[0][0], half), largest_of_pair(scores[0][1], half)));
        if (lane % 4 == 0) largest[warp * 16 + 8 * half + lane / 4] = top;
    }
    __syncthreads();
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int row = 8 * half + lane / 4;
        float top = -INFINITY;
#pragma unroll
        for (int w = 0; w < kTensorWarps; ++w) top = fmaxf(top, largest[w * 16 + row]);
        rescale[half] = raise(state[half], top * factor);
        const float low = exponentials(scores[0][0], half, state[half].largest, factor);
        totals[warp * 64 + row * 4 + lane % 4] = low + exponentials(scores[0][1], half, state[half].largest, factor);
#pragma unroll
        for (int n = 0; n < 2; ++n) {
            Pack<bf16, 2> pair;
            pair[0] = round_to<bf16>(scores[0][n][2 * half]), pair[1] = round_to<bf16>(scores[0][n][2 * half + 1]);
            store_pack(weights, tile_at<kForwardKeys>(row, warp * 16 + 8 * n + lane % 4 * 2), pair);
        }
    }
    __syncthreads();
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        float quarter[4];
#pragma unroll
        for (int w = 0; w < kTensorWarps; ++w) quarter[w] = totals[w * 64 + (8 * half + lane / 4) * 4 + lane % 4];
        state[half].total = fmaf(state[half].total, rescale[half], sum_of_quarters(quarter));
    }
}

// sums (16, 8 C) of the warp's columns = rescaled sums + probabilities (16, 64) times values (64, 8 C).
template <int D> __device__ void add_values(float (&sums)[Decoding<D>::C][4], const float (&rescale)[2], Shared<bf16> values) {
    constexpr int C = Decoding<D>::C;
    const auto weights = shared<bf16>(Decoding<D>::weights, 16 * kForwardKeys);
    const int lane = lane_index();
#pragma unroll
    for (int n = 0; n < C; ++n)
#pragma unroll
        for (int e = 0; e < 4; ++e) sums[n][e] *= rescale[e / 2];
#pragma unroll
    for (int k = 0; k < kForwardKeys; k += 32) {
        std::uint32_t low[4], high[4];  // probabilities of 16 keys and of the next 16
        load_matrix_x4(low, weights, tile_step<kForwardKeys>(line_of_left<kForwardKeys>(), 0, k));
        load_matrix_x4(high, weights, tile_step<kForwardKeys>(line_of_left<kForwardKeys>(), 0, k + 16));
#pragma unroll
        for (int n = 0; n < C; ++n) {
            std::uint32_t b[4];  // 32 keys of 8 columns
            load_matrix_x4_transposed(b, values, tile_at<D>(k + lane, (warp_index() * C + n) * 8));
            multiply_add(sums[n], low, b[0], b[1]);
            multiply_add(sums[n], high, b[2], b[3]);
        }
    }
}

template <int D>
__device__ void store_decoded(const TensorForward& args, const RowTask& task, const float (&sums)[Decoding<D>::C][4], const Partial (&state)[2]) {
    const AttentionShape& shape = args.shape;
    const int lane = lane_index(), columns = warp_index() * Decoding<D>::C * 8 + lane % 4 * 2;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int row = 8 * half + lane / 4;
        if (task.slot >= 0) {
            if (row >= args.slot_rows) continue;
            const auto place = args.sums + (static_cast<std::int64_t>(task.slot) * shape.kv_heads + task.kv_head) * args.slot_rows * (D + 2);
#pragma unroll
            for (int n = 0; n < Decoding<D>::C; ++n)
                store_pack(place, row * D + columns + 8 * n, Pack<float, 2>{{sums[n][2 * half], sums[n][2 * half + 1]}});
            if (warp_index() == 0 && lane % 4 == 0)
                store_pack(place, args.slot_rows * D + 2 * row, Pack<float, 2>{{state[half].largest, state[half].total}});
            continue;
        }
        const std::int64_t offset = row_offset(shape, task, row, shape.out_stride);
        if (offset < 0) continue;
        const float by = 1.0f / state[half].total;
#pragma unroll
        for (int n = 0; n < Decoding<D>::C; ++n) {
            if (columns + 8 * n >= shape.d) continue;
            Pack<bf16, 2> pair;
            pair[0] = round_to<bf16>(fmaf(sums[n][2 * half], by, 0.0f)), pair[1] = round_to<bf16>(fmaf(sums[n][2 * half + 1], by, 0.0f));
            store_pack(args.out, offset + columns + 8 * n, pair);
        }
        if (!args.lse.empty() && warp_index() == 0 && lane % 4 == 0)
            args.lse[statistic_offset(shape, task, row, shape.lse_stride)] = lse_of(state[half]);
    }
}

template <int D, Logits logits> __global__ void attention_decoding(TensorForward args) {
    using P = Decoding<D>;
    const AttentionShape& shape = args.shape;
    const RowTask task = task_of(args.segments, args.work, static_cast<int>(blockIdx.x), shape.kv_heads);
    if (task.key_end == 0) return;
    const auto queries = shared<bf16>(0, P::rows * D);
    const auto sees = shared<int>(P::sees, P::rows);
    const auto load = [&](int stage, int first) {
        load_keys<D, P::keys>(P::tile(stage, 0), args.k, shape, task, shape.k_stride, first);
        load_keys<D, P::keys>(P::tile(stage, 1), args.v, shape, task, shape.v_stride, first);
        copy_async_commit();
    };
    load_rows<D, P::rows>(queries, args.q, shape, task, shape.q_stride);
    load(0, task.key_begin);
    if (thread_index() < P::rows) sees[thread_index()] = seen_by(shape, task, thread_index());

    float sums[P::C][4] = {};
    Partial state[2] = {{kNothingYet, 0.0f}, {kNothingYet, 0.0f}};
    int stage = 0;
    for (int first = task.key_begin; first < task.key_end; first += P::keys) {
        const bool more = first + P::keys < task.key_end;
        copy_async_wait<0>();
        __syncthreads();  // the tile is here, and nobody needs the one before
        if (P::stages == 2 && more) load(stage ^ 1, first + P::keys);
        float scores[1][2][4], rescale[2];
        multiply_rows<D>(scores, queries, 0, P::tile(stage, 0), warp_index() * 16);
        make_logits<logits>(scores, args.bias, shape, task.kv_head, task.first, first + warp_index() * 16);
        hide_keys(scores, sees, 0, first + warp_index() * 16, shape.window);
        share_softmax<D>(scores, state, rescale, shape.factor);
        add_values<D>(sums, rescale, P::tile(stage, 1));
        if (P::stages == 2) stage ^= 1;
        if (P::stages == 1 && more) {
            __syncthreads();
            load(0, first + P::keys);
        }
    }
    state[0].total = sum_of_row(state[0].total), state[1].total = sum_of_row(state[1].total);
    store_decoded<D>(args, task, sums, state);
}

template <int D> void launch_decoding(Stream& stream, const TensorForward& arguments) {
    with_logits<D>(arguments.shape, [&](auto logits) {
        launch(stream, attention_decoding<D, logits()>, {arguments.items}, kTensorThreads, Decoding<D>::shared_bytes, arguments);
    });
}

}  // namespace

void launch_tensor_decoding(Stream& stream, const TensorForward& arguments) {
    switch (tensor_width(arguments.shape.d)) {
        case 32: return launch_decoding<32>(stream, arguments);
        case 64: return launch_decoding<64>(stream, arguments);
        case 96: return launch_decoding<96>(stream, arguments);
        case 128: return launch_decoding<128>(stream, arguments);
        default: return launch_decoding<256>(stream, arguments);
    }
}

}  // namespace temper::cuda
