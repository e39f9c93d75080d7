// d_k and d_v: a block owns a tile of keys of one key/value head and goes through the rows of every segment that sees one of them, segment by segment;
// the next rows arrive meanwhile. Scores are held transposed, (key, row).
#include "kernels/cuda/attention_backward_tensor.h"
#include "kernels/cuda/attention_gradient.h"

namespace temper::cuda {
namespace {

template <int D> struct BackwardKeys {
    static constexpr int keys = backward_keys(D), rows = 32;
    static constexpr int parts = D > 128 ? 2 : 1;  // warps that share keys, each with its columns of the sums
    static constexpr int M = keys * parts / kTensorWarps / 16, N = rows / 8, C = D / 8 / parts;
    static constexpr int key_bytes = keys * D * 2, row_bytes = rows * D * 2;
    // Of a stage: lse and delta of the rows; the last key of the tile that each row sees; from, to, and whether some pair is hidden.
    static constexpr int lse = 2 * key_bytes + 4 * row_bytes, seen = lse + 2 * 2 * rows * 4, notes = seen + 2 * rows * 4;
    static constexpr int shared_bytes = notes + 2 * 4 * 4;
    static_assert(shared_bytes <= kLeastSharedBytes);

    static __device__ Shared<bf16> key_tile(int which) { return shared<bf16>(which * key_bytes, keys * D); }
    static __device__ Shared<bf16> row_tile(int stage, int which) { return shared<bf16>(2 * key_bytes + (2 * stage + which) * row_bytes, rows * D); }
    static __device__ Shared<float> stage_lse(int stage) { return shared<float>(lse + stage * 2 * rows * 4, rows); }
    static __device__ Shared<float> stage_delta(int stage) { return shared<float>(lse + (stage * 2 + 1) * rows * 4, rows); }
    static __device__ Shared<int> stage_seen(int stage) { return shared<int>(seen + stage * rows * 4, rows); }
    static __device__ Shared<int> stage_notes(int stage) { return shared<int>(notes + stage * 4 * 4, 4); }
};

template <int D> __device__ Pack<float, 2> load_stage(const BackwardCall<bf16>& args, const RowWalk& walk, int stage) {
    using P = BackwardKeys<D>;
    const AttentionShape& shape = args.shape;
    const RowTask& task = walk.task;
    load_rows<D, P::rows>(P::row_tile(stage, 0), args.q, shape, task, shape.q_stride);
    load_rows<D, P::rows>(P::row_tile(stage, 1), args.d_out, shape, task, shape.out_stride);
    copy_async_commit();
    const int row = thread_index();
    if (row == 0) {
        const auto notes = P::stage_notes(stage);
        const int first = seen_by(shape, task, 0) - 1 - walk.offset, last = seen_by(shape, task, P::rows - 1) - 1 - walk.offset;
        notes[0] = walk.from, notes[1] = walk.to;
        notes[2] = walk.from > 0 || walk.to < P::keys || first < P::keys - 1 || (shape.window > 0 && last >= shape.window) ? 1 : 0;
    }
    if (row >= P::rows) return {};
    P::stage_seen(stage)[row] = seen_by(shape, task, row) - 1 - walk.offset;
    if (row >= task.rows(shape)) return {{INFINITY, 0.0f}};
    return load_pack<2>(args.statistics, 2 * (packed_row(shape, task.span.begin, task.kv_head, args.tokens) + task.first + row));
}

// Scores of keys [own, +16 M) of the tile against a stage's rows: those that are hidden become -infinity.
template <int M, int N> __device__ void hide_pairs(float (&scores)[M][N][4], Shared<int> seen, Shared<int> notes, int own, int window) {
    const int lane = anew(lane_index()), from = notes[0], to = notes[1];
#pragma unroll
    for (int n = 0; n < N; ++n) {
        const Pack<int, 2> last = load_pack<2>(seen, 8 * n + lane % 4 * 2);
#pragma unroll
        for (int m = 0; m < M; ++m)
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const int key = own + 16 * m + 8 * (e / 2) + lane / 4, end = last[e % 2];
                if (key > end || key < from || key >= to || (window > 0 && key <= end - window)) scores[m][n][e] = -INFINITY;
            }
    }
}

// Scores become probabilities, gradients of probabilities become gradients of scores.
template <int M, int N, bool capped>
__device__ void key_gradients(float (&scores)[M][N][4], float (&d_weights)[M][N][4], Shared<float> lse, Shared<float> delta,
                              const AttentionShape& shape) {
    const int lane = anew(lane_index());  // what is kept of it over the loop of rows would not fit the registers, here and in hide_pairs
#pragma unroll
    for (int n = 0; n < N; ++n) {
        const Pack<float, 2> row_lse = load_pack<2>(lse, 8 * n + lane % 4 * 2), row_delta = load_pack<2>(delta, 8 * n + lane % 4 * 2);
#pragma unroll
        for (int m = 0; m < M; ++m)
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const Gradient g = gradient<capped>(scores[m][n][e], d_weights[m][n][e], row_lse[e % 2], row_delta[e % 2], shape);
                scores[m][n][e] = g.weight, d_weights[m][n][e] = g.score;
            }
    }
}

template <int D, bool capped> __global__ void attention_backward_keys(BackwardCall<bf16> args) {
    using P = BackwardKeys<D>;
    const AttentionShape& shape = args.shape;
    const int kv_head = static_cast<int>(blockIdx.x) % shape.kv_heads;
    const KeyWork work = args.keys[static_cast<int>(blockIdx.x) / shape.kv_heads];
    if (work.count == 0) return;
    const auto rows_of = [&](std::int64_t stride) {
        return
            [=](int row) { return row < work.count ? (work.first + row) * stride + static_cast<std::int64_t>(kv_head) * shape.d : std::int64_t{-1}; };
    };
    const int own = warp_index() / P::parts * 16 * P::M, column = warp_index() % P::parts * P::C * 8;
    float d_keys[P::M][P::C][4], d_values[P::M][P::C][4];
    set_zero(d_keys), set_zero(d_values);

    RowWalk walk{work.visit_begin, work.visit_end, 0, 0, 0, 0, {}};
    walk.task.kv_head = kv_head;
    walk.enter(args, P::rows);
    load_tile<D, P::keys>(P::key_tile(0), args.k, shape.d, rows_of(shape.k_stride));
    load_tile<D, P::keys>(P::key_tile(1), args.v, shape.d, rows_of(shape.v_stride));
    copy_async_commit();
    const auto load = [&](int stage) { return load_stage<D>(args, walk, stage); };
    const auto keep = [&](int stage, const Pack<float, 2>& statistics) {
        if (thread_index() < P::rows) P::stage_lse(stage)[thread_index()] = statistics[0], P::stage_delta(stage)[thread_index()] = statistics[1];
    };
    bool more = walk.valid();
    if (more) keep(0, load(0));
    for (int stage = 0; more; stage ^= 1) {
        copy_async_wait<0>();
        __syncthreads();  // the rows are here, and nobody needs those before
        walk.advance(args, P::rows);
        more = walk.valid();
        Pack<float, 2> next{};
        if (more) next = load(stage ^ 1);
        float scores[P::M][P::N][4], d_weights[P::M][P::N][4];
        multiply_rows<D>(scores, P::key_tile(0), own, P::row_tile(stage, 0), 0);
        bend_scores<capped>(scores, shape);
        if (P::stage_notes(stage)[2] != 0) hide_pairs(scores, P::stage_seen(stage), P::stage_notes(stage), own, shape.window);
        multiply_rows<D>(d_weights, P::key_tile(1), own, P::row_tile(stage, 1), 0);
        key_gradients<P::M, P::N, capped>(scores, d_weights, P::stage_lse(stage), P::stage_delta(stage), shape);
        multiply_columns<D>(d_values, scores, P::row_tile(stage, 1), column);
        multiply_columns<D>(d_keys, d_weights, P::row_tile(stage, 0), column);
        if (more) keep(stage ^ 1, next);
    }
    copy_async_wait<0>();
    __syncthreads();  // the results take the place of the keys
    round_to_tile<D>(P::key_tile(0), own, column, d_keys, [&](int, int) { return shape.scale; });
    round_to_tile<D>(P::key_tile(1), own, column, d_values, [&](int, int) { return 1.0f; });
    __syncthreads();
    store_tile<D, P::keys>(args.d_k, P::key_tile(0), 0, shape.d, thread_index(), kTensorThreads, rows_of(args.d_k_stride));
    store_tile<D, P::keys>(args.d_v, P::key_tile(1), 0, shape.d, thread_index(), kTensorThreads, rows_of(args.d_v_stride));
}

template <int D> void launch_keys(Stream& stream, const BackwardCall<bf16>& arguments, std::int64_t tiles) {
    const auto kernel = arguments.shape.inverse > 0.0f ? attention_backward_keys<D, true> : attention_backward_keys<D, false>;
    launch(stream, kernel, {tiles * arguments.shape.kv_heads}, kTensorThreads, BackwardKeys<D>::shared_bytes, arguments);
}

}  // namespace

void launch_backward_keys(Stream& stream, const BackwardCall<bf16>& arguments, std::int64_t tiles) {
    switch (tensor_width(arguments.shape.d)) {
        case 32: return launch_keys<32>(stream, arguments, tiles);
        case 64: return launch_keys<64>(stream, arguments, tiles);
        case 96: return launch_keys<96>(stream, arguments, tiles);
        case 128: return launch_keys<128>(stream, arguments, tiles);
        default: return launch_keys<256>(stream, arguments, tiles);
    }
}

}  // namespace temper::cuda
