// Backward attention on the host's side: statistics of the rows, the kernel that owns rows and the one that owns keys, zeros where nobody is.
#include <algorithm>

#include "kernels/cuda/attention_backward_tensor.h"
#include "kernels/cuda/attention_cudnn.h"
#include "kernels/cuda/attention_general.h"
#include "kernels/cuda/attention_tensor.h"
#include "kernels/cuda/attention_walk.h"
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/team.h"

namespace temper::cuda {
namespace {

constexpr int kThreads = 128, kTeam = 16;  // threads that share a row of the statistics

template <class T> struct Statistics {
    Global<const T> out, d_out;
    Global<const float> lse;
    Global<float> to;  // RowStatistics
    AttentionShape shape;
    std::int64_t tokens, d_out_stride;
};

// delta = sum(d_out out) of a row and head, and lse in powers of two, both where the other kernels look (RowStatistics). N numbers travel at once.
template <class T, int N> __global__ void attention_statistics(Statistics<T> args) {
    const AttentionShape& shape = args.shape;
    const std::int64_t heads = static_cast<std::int64_t>(shape.kv_heads) * shape.group;
    const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * (kThreads / kTeam) + thread_index() / kTeam;
    const std::int64_t token = row / heads, head = row % heads;
    const bool exists = token < args.tokens;
    float sum = 0.0f;
    for (int i = thread_index() % kTeam * N; exists && i < shape.d; i += kTeam * N) {
        const Pack<T, N> out = load_pack<N>(args.out, token * shape.out_stride + head * shape.d + i);
        const Pack<T, N> d_out = load_pack<N>(args.d_out, token * args.d_out_stride + head * shape.d + i);
#pragma unroll
        for (int e = 0; e < N; ++e) sum = fmaf(to_float(out[e]), to_float(d_out[e]), sum);
    }
    sum = sum_of_lanes<kTeam>(sum);
    if (!exists || thread_index() % kTeam != 0) return;
    const float lse = args.lse[token * shape.lse_stride + head];
    const std::int64_t at = (head / shape.group * args.tokens + token) * shape.group + head % shape.group;
    store_pack(args.to, 2 * at, Pack<float, 2>{{lse * kLog2e, sum}});
}

template <class T> __global__ void zero_rows(Global<T> to, Global<const RowRange> ranges, std::int64_t stride, int width) {
    const RowRange range = ranges[blockIdx.x];
    for (int row = static_cast<int>(blockIdx.y); row < range.count; row += static_cast<int>(gridDim.y))
        for (int i = thread_index(); i < width; i += kThreads) to[(range.begin + row) * stride + i] = T{0};
}

struct Call {
    View d_q, d_k, d_v, d_out, out, lse, q, k, v;
    Span<const Segment> segments;
    AttentionShape shape;
};

template <class T> Global<const float> statistics_of(Stream& stream, const Call& call) {
    const std::int64_t tokens = call.q.size(0), rows = tokens * call.q.size(1);
    auto* const memory = static_cast<float*>(stream.scratch(static_cast<std::size_t>(rows) * sizeof(RowStatistics)));
    Statistics<T> arguments{
        global<const T>(call.out), global<const T>(call.d_out), global<const float>(call.lse), Global<float>(memory, 2 * rows), call.shape, tokens,
        call.d_out.stride[0]};
    constexpr int pack = 16 / sizeof(T);
    const auto kernel = packs_fit<pack>({call.out, call.d_out}) ? attention_statistics<T, pack> : attention_statistics<T, 1>;
    launch(stream, kernel, {blocks(rows, kThreads / kTeam)}, kThreads, 0, arguments);
    return arguments.to;
}

template <class T> void zero_gaps(Stream& stream, const View& d_q, Span<const Segment> segments) {
    const std::vector<RowRange> gaps = rows_of_nobody(segments, d_q.size(0));
    if (gaps.empty()) return;
    const Global<const RowRange> table = upload(stream, Span<const RowRange>(gaps));
    launch(stream, zero_rows<T>, {static_cast<std::int64_t>(gaps.size()), 64}, kThreads, 0, global<T>(d_q), table, d_q.stride[0],
           static_cast<int>(d_q.size(1) * d_q.size(2)));
}

// What both kinds of kernels are given; their work lists are missing.
template <class T> BackwardCall<T> arguments_of(Stream& stream, const Call& call) {
    BackwardCall<T> a;
    a.q = global<const T>(call.q), a.k = global<const T>(call.k), a.v = global<const T>(call.v), a.d_out = global<const T>(call.d_out);
    a.d_q = global<T>(call.d_q), a.d_k = global<T>(call.d_k), a.d_v = global<T>(call.d_v);
    a.statistics = statistics_of<T>(stream, call);
    a.segments = upload(stream, call.segments);
    a.shape = call.shape, a.tokens = call.q.size(0);
    a.shape.out_stride = call.d_out.stride[0];
    a.d_q_stride = call.d_q.stride[0], a.d_k_stride = call.d_k.stride[0], a.d_v_stride = call.d_v.stride[0];
    return a;
}

struct Tiles {
    int rows, row_keys, keys;
};
// launch(arguments, tiles of rows, tiles of keys)
template <class T, class Launch> void run(Stream& stream, const Call& call, const Tiles& tiles, const Launch& launch_both) {
    const AttentionShape& shape = call.shape;
    BackwardCall<T> arguments = arguments_of<T>(stream, call);
    RowPlan rows = plan_rows(call.segments, shape, tiles.rows, tiles.rows, tiles.row_keys, false);
    KeyPlan keys = plan_keys(call.segments, call.k.size(0), shape.group, tiles.keys);
    fill_up(stream, rows, call.segments, shape.group, tiles.rows, tiles.row_keys);
    fill_up(stream, keys, call.segments, tiles.keys);
    arguments.rows = upload(stream, Span<const RowWork>(rows.whole));
    arguments.keys = upload(stream, Span<const KeyWork>(keys.tiles)), arguments.visits = upload(stream, Span<const Visit>(keys.visits));
    zero_gaps<T>(stream, call.d_q, call.segments);
    launch_both(arguments, static_cast<std::int64_t>(rows.whole.size()), static_cast<std::int64_t>(keys.tiles.size()));
}

template <class T> void run_general(Stream& stream, const Call& call) {
    const int tile = general_tile(general_chunks(call.shape.d));
    run<T>(stream, call, {tile, tile, tile}, [&](const BackwardCall<T>& a, std::int64_t row_tiles, std::int64_t key_tiles) {
        launch_general_backward(stream, a, row_tiles, key_tiles);
    });
}

}  // namespace

void attention_backward(Stream& stream, View d_q, View d_k, View d_v, View d_out, View out, View lse, View q, View k, View v,
                        Span<const Segment> segments, const AttentionRule& rule) {
    if (q.elements() == 0) return;
    if (rule.library && cudnn_attention_backward(stream, d_q, d_k, d_v, d_out, out, lse, q, k, v, segments, rule)) return;
    const Call call{d_q, d_k, d_v, d_out, out, lse, q, k, v, segments, attention_shape(q, k, v, out, lse, rule)};
    if (tensor_takes({q, k, v, out, d_out, d_q, d_k, d_v})) {
        const int width = tensor_width(call.shape.d);
        const Tiles tiles{backward_rows(width), backward_row_keys(width), backward_keys(width)};
        return run<bf16>(stream, call, tiles, [&](const BackwardCall<bf16>& a, std::int64_t row_tiles, std::int64_t key_tiles) {
            launch_backward_rows(stream, a, row_tiles);
            launch_backward_keys(stream, a, key_tiles);
        });
    }
    check_general(stream, call.shape.d);
    if (q.dtype == DType::bf16) return run_general<bf16>(stream, call);
    run_general<float>(stream, call);
}

std::size_t attention_backward_scratch(DType dtype, std::int64_t tokens, std::int64_t heads, std::int64_t /*kv_heads*/, std::int64_t d,
                                       std::int64_t longest, int /*threads*/) {
    const bool keeps = dtype == DType::bf16 && longest > kSplitKeys && d <= 256;
    const std::int64_t forward = keeps ? kMostPlaces * kept_floats(tensor_width(static_cast<int>(d))) : 0;
    return std::max(static_cast<std::size_t>(forward) * sizeof(float), static_cast<std::size_t>(tokens * heads) * sizeof(RowStatistics));
}

}  // namespace temper::cuda
