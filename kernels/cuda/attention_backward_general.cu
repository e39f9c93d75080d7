// The two kernels of the backward pass (attention_backward_tensor.h) in float32 multiply-adds: one owns rows, one owns keys.
#include "kernels/cuda/attention_general.h"
#include "kernels/cuda/attention_general_tiles.h"
#include "kernels/cuda/attention_walk.h"

namespace temper::cuda {
namespace {

struct PairGradient {
    float weight, score;
};
// Of a pair of row and key: the probability, and the gradient of scale q k^T.
__device__ PairGradient pair_gradient(float product, float d_weight, bool hidden, float lse, float delta, const AttentionShape& shape) {
    if (hidden) return {0.0f, 0.0f};
    const bool capped = shape.inverse > 0.0f;
    const float bent = capped ? bend<true>(product, shape) : product;
    const float weight = exp2f(fmaf(bent, shape.factor, -lse)), d_logit = weight * (d_weight - delta);
    return {weight, capped ? d_logit * fmaf(-bent, bent, 1.0f) : d_logit};
}

template <class T, int Chunks> __global__ void general_backward_rows(BackwardCall<T> args) {
    using G = GeneralTile<Chunks>;
    const AttentionShape& shape = args.shape;
    const RowTask task = task_of(args.segments, args.rows, static_cast<int>(blockIdx.x), shape.kv_heads);
    if (task.key_end == 0) return;
    const auto queries = G::tile(0), d_out = G::tile(1), keys = G::tile(2), pairs = G::pair_tile(3);
    load_general<Chunks>(queries, args.q, shape.d, [&](int row) { return row_offset(shape, task, row, shape.q_stride); });
    load_general<Chunks>(d_out, args.d_out, shape.d, [&](int row) { return row_offset(shape, task, row, shape.out_stride); });
    int sees[G::R];
    float lse[G::R], delta[G::R], factor[G::R];
#pragma unroll
    for (int r = 0; r < G::R; ++r) {
        const int row = thread_row() * G::R + r;
        const std::int64_t at = packed_row(shape, task.span.begin, task.kv_head, args.tokens) + task.first + row;
        const Pack<float, 2> statistics = row < task.rows(shape) ? load_pack<2>(args.statistics, 2 * at) : Pack<float, 2>{{INFINITY, 0.0f}};
        sees[r] = seen_by(shape, task, row), lse[r] = statistics[0], delta[r] = statistics[1], factor[r] = shape.scale;
    }
    GeneralSums<Chunks> sums;
    zero_general<Chunks>(sums);
    for (int first = task.key_begin; first < task.key_end; first += G::side) {
        float scores[G::R][G::K], d_weights[G::R][G::K];
        load_general<Chunks>(keys, args.v, shape.d, [&](int row) { return key_offset(shape, task, first + row, shape.v_stride); });
        __syncthreads();
        multiply_general<Chunks>(d_weights, d_out, keys, shape.d);
        __syncthreads();  // nobody needs the values: the keys take their place
        load_general<Chunks>(keys, args.k, shape.d, [&](int row) { return key_offset(shape, task, first + row, shape.k_stride); });
        __syncthreads();
        multiply_general<Chunks>(scores, queries, keys, shape.d);
#pragma unroll
        for (int r = 0; r < G::R; ++r)
#pragma unroll
            for (int k = 0; k < G::K; ++k) {
                const int key = first + thread_column() + 16 * k;
                const bool hidden = key >= sees[r] || (shape.window > 0 && key < sees[r] - shape.window);
                scores[r][k] = pair_gradient(scores[r][k], d_weights[r][k], hidden, lse[r], delta[r], shape).score;
            }
        keep_pairs<Chunks>(pairs, scores);
        add_general<Chunks>(sums, pairs, keys);
        __syncthreads();
    }
    store_general<Chunks>(args.d_q, sums, shape.d, factor, [&](int row) { return row_offset(shape, task, row, args.d_q_stride); });
}

template <class T, int Chunks> __global__ void general_backward_keys(BackwardCall<T> args) {
    using G = GeneralTile<Chunks>;
    const AttentionShape& shape = args.shape;
    const int kv_head = static_cast<int>(blockIdx.x) % shape.kv_heads;
    const KeyWork work = args.keys[static_cast<int>(blockIdx.x) / shape.kv_heads];
    if (work.count == 0) return;
    const auto rows_of = [&](std::int64_t stride) {
        return
            [=](int row) { return row < work.count ? (work.first + row) * stride + static_cast<std::int64_t>(kv_head) * shape.d : std::int64_t{-1}; };
    };
    const auto keys = G::tile(0), values = G::tile(1), rows = G::tile(2), pairs = G::pair_tile(3);
    load_general<Chunks>(keys, args.k, shape.d, rows_of(shape.k_stride));
    load_general<Chunks>(values, args.v, shape.d, rows_of(shape.v_stride));
    GeneralSums<Chunks> d_keys, d_values;
    zero_general<Chunks>(d_keys), zero_general<Chunks>(d_values);

    RowWalk walk{work.visit_begin, work.visit_end, 0, 0, 0, 0, {}};
    walk.task.kv_head = kv_head;
    for (walk.enter(args, G::side); walk.valid(); walk.advance(args, G::side)) {
        const RowTask& task = walk.task;
        float scores[G::R][G::K], d_weights[G::R][G::K];
        load_general<Chunks>(rows, args.q, shape.d, [&](int row) { return row_offset(shape, task, row, shape.q_stride); });
        __syncthreads();
        multiply_general<Chunks>(scores, keys, rows, shape.d);
        __syncthreads();  // the rows of d_out take the place of those of q
        load_general<Chunks>(rows, args.d_out, shape.d, [&](int row) { return row_offset(shape, task, row, shape.out_stride); });
        __syncthreads();
        multiply_general<Chunks>(d_weights, values, rows, shape.d);
#pragma unroll
        for (int k = 0; k < G::K; ++k) {
            const int row = thread_column() + 16 * k, last = seen_by(shape, task, row) - 1 - walk.offset;
            const bool exists = row < task.rows(shape);
            const std::int64_t at = packed_row(shape, task.span.begin, kv_head, args.tokens) + task.first + row;
            const Pack<float, 2> statistics = exists ? load_pack<2>(args.statistics, 2 * at) : Pack<float, 2>{{INFINITY, 0.0f}};
#pragma unroll
            for (int r = 0; r < G::R; ++r) {
                const int key = thread_row() * G::R + r;
                const bool hidden = !exists || key > last || key < walk.from || key >= walk.to || (shape.window > 0 && key <= last - shape.window);
                const PairGradient g = pair_gradient(scores[r][k], d_weights[r][k], hidden, statistics[0], statistics[1], shape);
                scores[r][k] = g.weight, d_weights[r][k] = g.score;
            }
        }
        keep_pairs<Chunks>(pairs, scores);
        add_general<Chunks>(d_values, pairs, rows);
        __syncthreads();
        load_general<Chunks>(rows, args.q, shape.d, [&](int row) { return row_offset(shape, task, row, shape.q_stride); });
        keep_pairs<Chunks>(pairs, d_weights);
        __syncthreads();
        add_general<Chunks>(d_keys, pairs, rows);
        __syncthreads();
    }
    float scale[G::R], one[G::R];
#pragma unroll
    for (int r = 0; r < G::R; ++r) scale[r] = shape.scale, one[r] = 1.0f;
    store_general<Chunks>(args.d_k, d_keys, shape.d, scale, rows_of(args.d_k_stride));
    store_general<Chunks>(args.d_v, d_values, shape.d, one, rows_of(args.d_v_stride));
}

template <class T, int Chunks> void launch_chunks(Stream& stream, const BackwardCall<T>& arguments, std::int64_t row_tiles, std::int64_t key_tiles) {
    using G = GeneralTile<Chunks>;
    const std::int64_t heads = arguments.shape.kv_heads;
    launch(stream, general_backward_rows<T, Chunks>, {row_tiles * heads}, G::threads, G::bytes(3, 1), arguments);
    launch(stream, general_backward_keys<T, Chunks>, {key_tiles * heads}, G::threads, G::bytes(3, 1), arguments);
}

}  // namespace

template <class T> void launch_general_backward(Stream& stream, const BackwardCall<T>& arguments, std::int64_t row_tiles, std::int64_t key_tiles) {
    switch (general_chunks(arguments.shape.d)) {
        case 1: return launch_chunks<T, 1>(stream, arguments, row_tiles, key_tiles);
        case 2: return launch_chunks<T, 2>(stream, arguments, row_tiles, key_tiles);
        case 4: return launch_chunks<T, 4>(stream, arguments, row_tiles, key_tiles);
        default: return launch_chunks<T, 8>(stream, arguments, row_tiles, key_tiles);
    }
}
template void launch_general_backward<float>(Stream&, const BackwardCall<float>&, std::int64_t, std::int64_t);
template void launch_general_backward<bf16>(Stream&, const BackwardCall<bf16>&, std::int64_t, std::int64_t);

}  // namespace temper::cuda
