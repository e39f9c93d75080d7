// A block takes a tile of rows of one key/value head through its keys, all of them or those of one split; splits are put together in order either way.
#include "kernels/cuda/attention_general.h"
#include "kernels/cuda/attention_general_tiles.h"

namespace temper::cuda {
namespace {

// Over the 16 threads that share a row.
__device__ float largest_of_threads(float x) {
    for (int distance = 1; distance < 16; distance *= 2) x = fmaxf(x, __shfl_xor_sync(kFullWarp, x, distance));
    return x;
}
__device__ float sum_of_threads(float x) {
    for (int distance = 1; distance < 16; distance *= 2) x += __shfl_xor_sync(kFullWarp, x, distance);
    return x;
}

// Products of a tile to probabilities; sums are rescaled to the new largest logits.
template <int Chunks>
__device__ void softmax_general(float (&scores)[GeneralTile<Chunks>::R][GeneralTile<Chunks>::K], GeneralSums<Chunks>& sums,
                                Partial (&state)[GeneralTile<Chunks>::R], const AttentionShape& shape, const RowTask& task, int first,
                                Global<const float> bias) {
    using G = GeneralTile<Chunks>;
#pragma unroll
    for (int r = 0; r < G::R; ++r) {
        const int end = seen_by(shape, task, thread_row() * G::R + r), begin = shape.window > 0 ? end - shape.window : 0;
        const BiasRow table = bias_row(shape, task.kv_head, task.first + thread_row() * G::R + r);
        float top = -INFINITY;
#pragma unroll
        for (int k = 0; k < G::K; ++k) {
            const int key = first + thread_column() + 16 * k;
            if (shape.bias_radius >= 0) scores[r][k] = fmaf(scores[r][k], shape.scale, table.of(bias, key));
            if (shape.inverse > 0.0f) scores[r][k] = bend<true>(scores[r][k], shape);
            if (key >= end || key < begin) scores[r][k] = -INFINITY;
            top = fmaxf(top, scores[r][k]);
        }
        const float before = state[r].largest;
        state[r].largest = fmaxf(before, largest_of_threads(top) * shape.factor);
        const float rescale = exp2f(before - state[r].largest);
        float total = 0.0f;
#pragma unroll
        for (int k = 0; k < G::K; ++k) {
            scores[r][k] = exp2f(fmaf(scores[r][k], shape.factor, -state[r].largest));
            total += scores[r][k];
        }
        state[r].total = fmaf(state[r].total, rescale, total);
#pragma unroll
        for (int i = 0; i < 4 * Chunks; ++i) sums[r][i] *= rescale;
    }
}

template <int Chunks> struct GeneralState {
    GeneralSums<Chunks> sums;
    Partial of[GeneralTile<Chunks>::R];

    __device__ void begin() {
        zero_general<Chunks>(sums);
#pragma unroll
        for (int r = 0; r < GeneralTile<Chunks>::R; ++r) of[r] = {kNothingYet, 0.0f};
    }
    __device__ void end() {
#pragma unroll
        for (int r = 0; r < GeneralTile<Chunks>::R; ++r) of[r].total = sum_of_threads(of[r].total);
    }
    __device__ void merge_into(GeneralState& earlier) const {
#pragma unroll
        for (int r = 0; r < GeneralTile<Chunks>::R; ++r) {
            const Merge factors = merge(earlier.of[r], of[r]);
#pragma unroll
            for (int i = 0; i < 4 * Chunks; ++i) earlier.sums[r][i] = merged(factors, earlier.sums[r][i], sums[r][i]);
        }
    }
};

template <class T, int Chunks> __device__ void store_state(const GeneralForward<T>& args, const RowTask& task, const GeneralState<Chunks>& state) {
    using G = GeneralTile<Chunks>;
    const AttentionShape& shape = args.shape;
    float factor[G::R];
    if (task.slot >= 0) {
        const auto place = args.sums + (static_cast<std::int64_t>(task.slot) * shape.kv_heads + task.kv_head) * args.slot_rows * (G::width + 2);
#pragma unroll
        for (int r = 0; r < G::R; ++r) {
            const int row = thread_row() * G::R + r;
            factor[r] = 1.0f;
            if (thread_column() == 0 && row < args.slot_rows)
                store_pack(place, args.slot_rows * G::width + 2 * row, Pack<float, 2>{{state.of[r].largest, state.of[r].total}});
        }
        return store_general<Chunks>(place, state.sums, G::width, factor,
                                     [&](int row) { return row < args.slot_rows ? static_cast<std::int64_t>(row) * G::width : std::int64_t{-1}; });
    }
#pragma unroll
    for (int r = 0; r < G::R; ++r) {
        const int row = thread_row() * G::R + r;
        factor[r] = 1.0f / state.of[r].total;
        if (!args.lse.empty() && thread_column() == 0 && row < task.rows(shape))
            args.lse[statistic_offset(shape, task, row, shape.lse_stride)] = lse_of(state.of[r]);
    }
    store_general<Chunks>(args.out, state.sums, shape.d, factor, [&](int row) { return row_offset(shape, task, row, shape.out_stride); });
}

template <class T, int Chunks> __global__ void attention_general(GeneralForward<T> args) {
    using G = GeneralTile<Chunks>;
    const AttentionShape& shape = args.shape;
    const RowTask task = task_of(args.segments, args.work, static_cast<int>(blockIdx.x), shape.kv_heads);
    if (task.key_end == 0) return;
    const auto queries = G::tile(0), keys = G::tile(1), pairs = G::pair_tile(2);
    load_general<Chunks>(queries, args.q, shape.d, [&](int row) { return row_offset(shape, task, row, shape.q_stride); });

    GeneralState<Chunks> earlier, state;
    earlier.begin(), state.begin();
    bool any = false;
    for (int first = task.key_begin; first < task.key_end; first += G::side) {
        if (first % kSplitKeys == 0 && first > task.key_begin) {
            state.end();
            if (any) state.merge_into(earlier);
            else earlier = state;
            any = true;
            state.begin();
        }
        load_general<Chunks>(keys, args.k, shape.d, [&](int row) { return key_offset(shape, task, first + row, shape.k_stride); });
        __syncthreads();
        float scores[G::R][G::K];
        multiply_general<Chunks>(scores, queries, keys, shape.d);
        softmax_general<Chunks>(scores, state.sums, state.of, shape, task, first, args.bias);
        keep_pairs<Chunks>(pairs, scores);
        __syncthreads();  // nobody needs the keys: the values take their place
        load_general<Chunks>(keys, args.v, shape.d, [&](int row) { return key_offset(shape, task, first + row, shape.v_stride); });
        __syncthreads();
        add_general<Chunks>(state.sums, pairs, keys);
        __syncthreads();
    }
    state.end();
    if (!any) return store_state(args, task, state);
    state.merge_into(earlier);
    store_state(args, task, earlier);
}

template <class T, int Chunks> void launch_chunks(Stream& stream, const GeneralForward<T>& arguments, std::int64_t items) {
    launch(stream, attention_general<T, Chunks>, {items * arguments.shape.kv_heads}, GeneralTile<Chunks>::threads, GeneralTile<Chunks>::bytes(2, 1),
           arguments);
}

}  // namespace

void check_general(const Stream& stream, int d) {
    const int most = stream.cuda().device().shared_bytes;
    const int needed = d <= 256 ? GeneralTile<4>::bytes(3, 1) : GeneralTile<8>::bytes(3, 1);
    if (d > 512 || (d > 128 && needed > most))
        throw_error(ExitCode::usage,
                    "attention: heads of {} numbers are too wide for a CUDA device with {} bytes of shared memory a block; take device: cpu", d,
                    most);
}

template <class T> void launch_general_forward(Stream& stream, const GeneralForward<T>& arguments, std::int64_t items) {
    switch (general_chunks(arguments.shape.d)) {
        case 1: return launch_chunks<T, 1>(stream, arguments, items);
        case 2: return launch_chunks<T, 2>(stream, arguments, items);
        case 4: return launch_chunks<T, 4>(stream, arguments, items);
        default: return launch_chunks<T, 8>(stream, arguments, items);
    }
}
template void launch_general_forward<float>(Stream&, const GeneralForward<float>&, std::int64_t);
template void launch_general_forward<bf16>(Stream&, const GeneralForward<bf16>&, std::int64_t);

}  // namespace temper::cuda
