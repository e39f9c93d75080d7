// Prefill: a block takes a tile of rows of one key/value head through the keys that they see, softmax online in float32.     [Dao 2023, algorithm 1]
// Keys and values have one buffer each: while scores are made the values arrive, while values are summed the next keys do.
#include "kernels/cuda/attention_softmax.h"
#include "kernels/cuda/attention_tensor.h"

namespace temper::cuda {
namespace {

template <int D> struct Prefill {
    static constexpr int rows = forward_rows(D), keys = kForwardKeys;
    static constexpr int M = rows / kTensorWarps / 16, N = keys / 8, C = D / 8;  // accumulators of a warp: scores M x N, sums M x C
    static constexpr int query_bytes = rows * D * 2, key_bytes = keys * D * 2;
    static constexpr std::int64_t kept_floats = cuda::kept_floats(D);
    static constexpr int shared_bytes = query_bytes + 2 * key_bytes + (rows + kTaskNumbers) * 4;
    static_assert(shared_bytes <= kLeastSharedBytes);
};

// Where a block keeps what its earlier splits summed.
template <int D> __device__ Global<float> kept_place(const TensorForward& args) {
    return args.sums + static_cast<std::int64_t>(blockIdx.x) * Prefill<D>::kept_floats;
}
// Sums of a block's earlier splits and its running ones become one, in `sums`. A thread's numbers stand where it alone looks.
template <int M, int C> __device__ void keep_sums(Global<float> kept, const float (&sums)[M][C][4], const Partial (&state)[M][2]) {
    const int thread = thread_index();
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
        for (int n = 0; n < C; ++n)
            store_pack(kept, ((m * C + n) * kTensorThreads + thread) * 4,
                       Pack<float, 4>{{sums[m][n][0], sums[m][n][1], sums[m][n][2], sums[m][n][3]}});
        store_pack(kept, ((M * C + m) * kTensorThreads + thread) * 4,
                   Pack<float, 4>{{state[m][0].largest, state[m][0].total, state[m][1].largest, state[m][1].total}});
    }
}
template <int M, int C> __device__ void add_kept_sums(Global<const float> kept, float (&sums)[M][C][4], Partial (&state)[M][2]) {
    const int thread = thread_index();
#pragma unroll
    for (int m = 0; m < M; ++m) {
        const Pack<float, 4> earlier = load_pack<4>(kept, ((M * C + m) * kTensorThreads + thread) * 4);
        Merge factors[2];
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            Partial before = {earlier[2 * half], earlier[2 * half + 1]};
            factors[half] = merge(before, state[m][half]);
            state[m][half] = before;
        }
#pragma unroll
        for (int first = 0; first < C; first += 4) {
            // Always so, which the compiler does not know: loads that come all at once would not fit the registers.
            if (anew(thread) >= kTensorThreads) continue;
#pragma unroll
            for (int n = first; n < first + 4; ++n) {
                const Pack<float, 4> before = load_pack<4>(kept, ((m * C + n) * kTensorThreads + thread) * 4);
#pragma unroll
                for (int e = 0; e < 4; ++e) sums[m][n][e] = merged(factors[e / 2], before[e], sums[m][n][e]);
            }
        }
    }
}

template <int M> __device__ void begin_split(Partial (&state)[M][2]) {
#pragma unroll
    for (int m = 0; m < M; ++m) state[m][0] = state[m][1] = {kNothingYet, 0.0f};
}
template <int M> __device__ void end_split(Partial (&state)[M][2]) {
#pragma unroll
    for (int m = 0; m < M; ++m)
#pragma unroll
        for (int half = 0; half < 2; ++half) state[m][half].total = sum_of_row(state[m][half].total);
}

// Scores of a tile to probabilities; `sums` are rescaled to the new largest logits.
template <int M, int N, int C> __device__ void softmax_tile(float (&scores)[M][N][4], float (&sums)[M][C][4], Partial (&state)[M][2], float factor) {
#pragma unroll
    for (int m = 0; m < M; ++m)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float top = -INFINITY;
#pragma unroll
            for (int n = 0; n < N; ++n) top = fmaxf(top, largest_of_pair(scores[m][n], half));
            const float rescale = raise(state[m][half], largest_of_row(top) * factor);
            float quarter[4];
#pragma unroll
            for (int i = 0; i < 4; ++i)
                quarter[i] = exponentials(scores[m][2 * i], half, state[m][half].largest, factor) +
                             exponentials(scores[m][2 * i + 1], half, state[m][half].largest, factor);
            state[m][half].total = fmaf(state[m][half].total, rescale, sum_of_quarters(quarter));
#pragma unroll
            for (int n = 0; n < C; ++n) sums[m][n][2 * half] *= rescale, sums[m][n][2 * half + 1] *= rescale;
        }
}

// Results of the warp's rows. Every warp reads its own rows of the queries alone, so that they may take their place.
template <int D, int M, int C>
__device__ void store_rows(const TensorForward& args, const RowTask& task, Shared<bf16> queries, const float (&sums)[M][C][4],
                           const Partial (&state)[M][2]) {
    const AttentionShape& shape = args.shape;
    const int own = warp_index() * 16 * M;
    round_to_tile<D>(queries, own, 0, sums, [&](int m, int half) { return 1.0f / state[m][half].total; });
    __syncwarp();
    store_tile<D, 16 * M>(args.out, queries, own, shape.d, lane_index(), kWarp,
                          [&](int row) { return row_offset(shape, task, row, shape.out_stride); });
    if (args.lse.empty() || lane_index() % 4 != 0) return;
#pragma unroll
    for (int m = 0; m < M; ++m)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int row = own + 16 * m + 8 * half + lane_index() / 4;
            if (row < task.rows(shape)) args.lse[statistic_offset(shape, task, row, shape.lse_stride)] = lse_of(state[m][half]);
        }
}

// One piece of work; the number of the next.
template <int D, Logits logits> __device__ int prefill_rows(const TensorForward& args, int item) {
    using P = Prefill<D>;
    const AttentionShape& shape = args.shape;
    const auto queries = shared<bf16>(0, P::rows * D), keys = shared<bf16>(P::query_bytes, P::keys * D);
    const auto values = shared<bf16>(P::query_bytes + P::key_bytes, P::keys * D);
    const auto sees = shared<int>(P::query_bytes + 2 * P::key_bytes, P::rows);
    const auto notes = shared<int>(P::query_bytes + 2 * P::key_bytes + P::rows * 4, kTaskNumbers);

    const RowTask task = task_of(args.segments, args.work, item, shape.kv_heads);
    if (task.key_end == 0) return item + static_cast<int>(gridDim.x);
    load_rows<D, P::rows>(queries, args.q, shape, task, shape.q_stride);
    load_keys<D, P::keys>(keys, args.k, shape, task, shape.k_stride, task.key_begin);
    copy_async_commit();
    if (thread_index() < P::rows) sees[thread_index()] = seen_by(shape, task, thread_index());
    if (thread_index() == 0) note_task(notes, task, item);
    __syncthreads();

    float sums[P::M][P::C][4];
    Partial state[P::M][2];
    set_zero(sums), begin_split(state);
    const auto earlier = [&](int key) { return key / kSplitKeys > notes[6] / kSplitKeys; };  // splits before the one that ends at `key`
    for (int first = notes[6]; first < notes[7]; first += P::keys) {
        if (first % kSplitKeys == 0 && first > notes[6]) {
            end_split(state);
            if (earlier(first - 1)) add_kept_sums(kept_place<D>(args), sums, state);
            keep_sums(kept_place<D>(args), sums, state);
            set_zero(sums), begin_split(state);
        }
        copy_async_wait<0>();
        __syncthreads();  // keys are here, and nobody needs the values before them
        load_keys<D, P::keys>(values, args.v, shape, noted_task(notes), shape.v_stride, first);
        copy_async_commit();
        float scores[P::M][P::N][4];
        multiply_rows<D>(scores, queries, warp_index() * 16 * P::M, keys, 0);
        make_logits<logits>(scores, args.bias, shape, notes[9], notes[5] + warp_index() * 16 * P::M, first);
        if (first + P::keys > sees[0] || (shape.window > 0 && first < sees[P::rows - 1] - shape.window))
            hide_keys(scores, sees, warp_index() * 16 * P::M, first, shape.window);
        softmax_tile(scores, sums, state, shape.factor);
        copy_async_wait<0>();
        __syncthreads();  // values are here, and nobody needs these keys
        if (first + P::keys < notes[7]) {
            load_keys<D, P::keys>(keys, args.k, shape, noted_task(notes), shape.k_stride, first + P::keys);
            copy_async_commit();
        }
        multiply_columns<D>(sums, scores, values, 0);
    }
    end_split(state);
    if (earlier(notes[7] - 1)) add_kept_sums(kept_place<D>(args), sums, state);
    store_rows<D>(args, noted_task(notes), queries, sums, state);
    const int done = notes[10];
    __syncthreads();  // before the next rows take the place of these
    return done + static_cast<int>(gridDim.x);
}

template <int D, Logits logits> __global__ void attention_prefill(TensorForward args) {
    for (int item = static_cast<int>(blockIdx.x); item < args.items;) item = prefill_rows<D, logits>(args, item);
}

template <int D> void launch_prefill(Stream& stream, const TensorForward& arguments, std::int64_t blocks) {
    with_logits<D>(arguments.shape,
                [&](auto logits) { launch(stream, attention_prefill<D, logits()>, {blocks}, kTensorThreads, Prefill<D>::shared_bytes, arguments); });
}

}  // namespace

void launch_tensor_forward(Stream& stream, const TensorForward& arguments, std::int64_t blocks) {
    switch (tensor_width(arguments.shape.d)) {
        case 32: return launch_prefill<32>(stream, arguments, blocks);
        case 64: return launch_prefill<64>(stream, arguments, blocks);
        case 96: return launch_prefill<96>(stream, arguments, blocks);
        case 128: return launch_prefill<128>(stream, arguments, blocks);
        default: return launch_prefill<256>(stream, arguments, blocks);
    }
}

}  // namespace temper::cuda
