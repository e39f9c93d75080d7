// d_q: a block owns a tile of rows of one key/value head and goes through the keys that they see; the next keys arrive meanwhile.
#include "kernels/cuda/attention_backward_tensor.h"
#include "kernels/cuda/attention_gradient.h"

namespace temper::cuda {
namespace {

template <int D> struct BackwardRows {
    static constexpr int rows = backward_rows(D), keys = backward_row_keys(D);
    static constexpr int M = rows / kTensorWarps / 16, N = keys / 8, C = D / 8;  // accumulators of a warp: scores M x N, sums M x C
    static constexpr int row_bytes = rows * D * 2, key_bytes = keys * D * 2;
    static constexpr int statistics = 2 * row_bytes + 4 * key_bytes, sees = statistics + rows * 8, notes = sees + rows * 4;
    static constexpr int shared_bytes = notes + kTaskNumbers * 4;
    static_assert(shared_bytes <= kLeastSharedBytes);

    static __device__ Shared<bf16> tile(int stage, int which) { return shared<bf16>(2 * row_bytes + (2 * stage + which) * key_bytes, keys * D); }
};

// Scores and gradients of probabilities of the warp's rows against a tile of keys become gradients of scores, in `scores`.
template <int M, int N, bool capped>
__device__ void row_gradients(float (&scores)[M][N][4], const float (&d_weights)[M][N][4], Shared<float> statistics, int own,
                              const AttentionShape& shape) {
    const int lane = lane_index();
#pragma unroll
    for (int m = 0; m < M; ++m)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const Pack<float, 2> row = load_pack<2>(statistics, (own + 16 * m + 8 * half + lane / 4) * 2);
#pragma unroll
            for (int n = 0; n < N; ++n)
#pragma unroll
                for (int e = 2 * half; e < 2 * half + 2; ++e)
                    scores[m][n][e] = gradient<capped>(scores[m][n][e], d_weights[m][n][e], row[0], row[1], shape).score;
        }
}

template <int D, bool capped> __global__ void attention_backward_rows(BackwardCall<bf16> args) {
    using P = BackwardRows<D>;
    const AttentionShape& shape = args.shape;
    const auto queries = shared<bf16>(0, P::rows * D), d_out = shared<bf16>(P::row_bytes, P::rows * D);
    const auto statistics = shared<float>(P::statistics, 2 * P::rows);
    const auto sees = shared<int>(P::sees, P::rows), notes = shared<int>(P::notes, kTaskNumbers);
    const int own = warp_index() * 16 * P::M;
    {
        const RowTask task = task_of(args.segments, args.rows, static_cast<int>(blockIdx.x), shape.kv_heads);
        if (task.key_end == 0) return;
        load_rows<D, P::rows>(queries, args.q, shape, task, shape.q_stride);
        load_rows<D, P::rows>(d_out, args.d_out, shape, task, shape.out_stride);
        load_keys<D, P::keys>(P::tile(0, 0), args.k, shape, task, shape.k_stride, task.key_begin);
        load_keys<D, P::keys>(P::tile(0, 1), args.v, shape, task, shape.v_stride, task.key_begin);
        copy_async_commit();
        const int row = thread_index();
        if (row < P::rows) {
            sees[row] = seen_by(shape, task, row);
            const std::int64_t at = packed_row(shape, task.span.begin, task.kv_head, args.tokens) + task.first + row;
            store_pack(statistics, 2 * row, row < task.rows(shape) ? load_pack<2>(args.statistics, 2 * at) : Pack<float, 2>{{INFINITY, 0.0f}});
        }
        if (row == 0) note_task(notes, task, 0);
    }
    float sums[P::M][P::C][4];
    set_zero(sums);
    __syncthreads();
    int stage = 0;
    for (int first = notes[6]; first < notes[7]; first += P::keys, stage ^= 1) {
        copy_async_wait<0>();
        __syncthreads();  // the tile is here, and nobody needs the one before
        if (first + P::keys < notes[7]) {
            const RowTask task = noted_task(notes);
            load_keys<D, P::keys>(P::tile(stage ^ 1, 0), args.k, shape, task, shape.k_stride, first + P::keys);
            load_keys<D, P::keys>(P::tile(stage ^ 1, 1), args.v, shape, task, shape.v_stride, first + P::keys);
            copy_async_commit();
        }
        float scores[P::M][P::N][4], d_weights[P::M][P::N][4];
        multiply_rows<D>(scores, queries, own, P::tile(stage, 0), 0);
        bend_scores<capped>(scores, shape);
        if (first + P::keys > sees[0] || (shape.window > 0 && first < sees[P::rows - 1] - shape.window))
            hide_keys(scores, sees, own, first, shape.window);
        multiply_rows<D>(d_weights, d_out, own, P::tile(stage, 1), 0);
        row_gradients<P::M, P::N, capped>(scores, d_weights, statistics, own, shape);
        multiply_columns<D>(sums, scores, P::tile(stage, 0), 0);
    }
    const RowTask task = noted_task(notes);
    __syncwarp();  // every warp reads its own rows alone: the results take their place
    round_to_tile<D>(queries, own, 0, sums, [&](int, int) { return shape.scale; });
    __syncwarp();
    store_tile<D, 16 * P::M>(args.d_q, queries, own, shape.d, lane_index(), kWarp,
                             [&](int row) { return row_offset(shape, task, row, args.d_q_stride); });
}

template <int D> void launch_rows(Stream& stream, const BackwardCall<bf16>& arguments, std::int64_t tiles) {
    const auto kernel = arguments.shape.inverse > 0.0f ? attention_backward_rows<D, true> : attention_backward_rows<D, false>;
    launch(stream, kernel, {tiles * arguments.shape.kv_heads}, kTensorThreads, BackwardRows<D>::shared_bytes, arguments);
}

}  // namespace

void launch_backward_rows(Stream& stream, const BackwardCall<bf16>& arguments, std::int64_t tiles) {
    switch (tensor_width(arguments.shape.d)) {
        case 32: return launch_rows<32>(stream, arguments, tiles);
        case 64: return launch_rows<64>(stream, arguments, tiles);
        case 96: return launch_rows<96>(stream, arguments, tiles);
        case 128: return launch_rows<128>(stream, arguments, tiles);
        default: return launch_rows<256>(stream, arguments, tiles);
    }
}

}  // namespace temper::cuda
