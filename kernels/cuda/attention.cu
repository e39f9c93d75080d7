// Which kernels attention takes, and its scratch. Bits do not depend on that: prefill and decoding of one segment give the same.
#include <algorithm>

#include "kernels/cuda/attention_combine.h"
#include "kernels/cuda/attention_cudnn.h"
#include "kernels/cuda/attention_general.h"
#include "kernels/cuda/attention_tensor.h"
#include "kernels/cuda/cuda_ops.h"

namespace temper::cuda {
namespace {

// Segments of few rows are shared out over splits in inference alone: training needs no scratch for them then.
RowPlan plan_forward(Span<const Segment> segments, const AttentionShape& shape, int tile_rows, int split_tile_rows, int key_tile, bool inference) {
    return plan_rows(segments, shape, tile_rows, split_tile_rows, key_tile, inference);
}

// Rows of a tile that a slot keeps.
int kept_rows(const RowPlan& plan, Span<const Segment> segments, int group, int tile_rows) {
    std::int64_t most = 0;
    for (const SplitRows& rows : plan.split_rows)
        if (rows.count > 0) most = std::max(most, segments[static_cast<std::size_t>(rows.segment)].length * group - rows.first);
    return static_cast<int>(std::min<std::int64_t>(most, tile_rows));
}

template <class T>
void combine_splits(Stream& stream, const RowPlan& plan, const View& out, const View& lse, Global<const Segment> segments, Global<const float> sums,
                    const AttentionShape& shape, int rows, int width) {
    if (plan.split_rows.empty()) return;
    const Global<const SplitRows> table = upload(stream, Span<const SplitRows>(plan.split_rows));
    launch_combine(stream, Combine<T>{global<T>(out), global<float>(lse), segments, table, sums, shape, split_floats(rows, width), rows, width},
                   static_cast<std::int64_t>(plan.split_rows.size()));
}

void tensor_attention(Stream& stream, const View& out, const View& lse, const View& q, const View& k, const View& v, Span<const Segment> segments,
                      const AttentionShape& shape, const View& bias) {
    const int width = tensor_width(shape.d);
    RowPlan plan = plan_forward(segments, shape, forward_rows(width), kTensorSplitRows, kForwardKeys, lse.empty());
    fill_up(stream, plan, segments, shape.group, forward_rows(width), kForwardKeys);
    const std::int64_t items = static_cast<std::int64_t>(plan.whole.size()) * shape.kv_heads;
    const std::int64_t places = plan.several_splits ? std::min(items, kept_places(stream.cuda().device().multiprocessors)) : 0;
    const int rows = kept_rows(plan, segments, shape.group, kTensorSplitRows);
    const std::int64_t kept = places * kept_floats(width), slots = plan.slots * shape.kv_heads * split_floats(rows, width);
    float* const scratch = kept + slots == 0 ? nullptr : static_cast<float*>(stream.scratch(static_cast<std::size_t>(kept + slots) * sizeof(float)));
    const Global<float> kept_sums(kept == 0 ? nullptr : scratch, kept), slot_sums(slots == 0 ? nullptr : scratch + kept, slots);

    TensorForward arguments;
    arguments.q = global<const bf16>(q), arguments.k = global<const bf16>(k), arguments.v = global<const bf16>(v);
    arguments.out = global<bf16>(out), arguments.lse = global<float>(lse);
    if (!bias.empty()) arguments.bias = global<const float>(bias);
    arguments.segments = upload(stream, segments), arguments.shape = shape, arguments.slot_rows = rows;
    if (!plan.whole.empty()) {
        arguments.work = upload(stream, Span<const RowWork>(plan.whole)), arguments.sums = kept_sums;
        arguments.items = static_cast<std::int32_t>(items);
        launch_tensor_forward(stream, arguments, places > 0 ? places : items);
    }
    if (!plan.splits.empty()) {
        arguments.work = upload(stream, Span<const RowWork>(plan.splits)), arguments.sums = slot_sums;
        arguments.items = static_cast<std::int32_t>(plan.splits.size()) * shape.kv_heads;
        launch_tensor_decoding(stream, arguments);
    }
    combine_splits<bf16>(stream, plan, out, lse, arguments.segments, slot_sums, shape, rows, width);
}

template <class T>
void general_attention(Stream& stream, const View& out, const View& lse, const View& q, const View& k, const View& v, Span<const Segment> segments,
                       const AttentionShape& shape, const View& bias) {
    const int chunks = general_chunks(shape.d), tile = general_tile(chunks), width = 64 * chunks;
    RowPlan plan = plan_forward(segments, shape, tile, tile, tile, lse.empty());
    fill_up(stream, plan, segments, shape.group, tile, tile);
    plan.whole.insert(plan.whole.end(), plan.splits.begin(), plan.splits.end());
    if (plan.whole.empty()) return;
    const int rows = kept_rows(plan, segments, shape.group, tile);
    const std::int64_t slots = plan.slots * shape.kv_heads * split_floats(rows, width);
    float* const scratch = slots == 0 ? nullptr : static_cast<float*>(stream.scratch(static_cast<std::size_t>(slots) * sizeof(float)));

    GeneralForward<T> arguments;
    arguments.q = global<const T>(q), arguments.k = global<const T>(k), arguments.v = global<const T>(v);
    arguments.out = global<T>(out), arguments.lse = global<float>(lse);
    if (!bias.empty()) arguments.bias = global<const float>(bias);
    arguments.segments = upload(stream, segments), arguments.work = upload(stream, Span<const RowWork>(plan.whole));
    arguments.sums = Global<float>(scratch, slots), arguments.shape = shape, arguments.slot_rows = rows;
    launch_general_forward(stream, arguments, static_cast<std::int64_t>(plan.whole.size()));
    combine_splits<T>(stream, plan, out, lse, arguments.segments, arguments.sums, shape, rows, width);
}

}  // namespace

void attention(Stream& stream, View out, View lse, View q, View k, View v, Span<const Segment> segments, const AttentionRule& rule) {
    if (q.elements() == 0 || segments.empty()) return;
    if (rule.library && cudnn_attention(stream, out, lse, q, k, v, segments, rule)) return;
    const AttentionShape shape = attention_shape(q, k, v, out, lse, rule);
    if (tensor_takes({q, k, v, out}) && (rule.bias.empty() || q.size(2) <= kWidestBiased))
        return tensor_attention(stream, out, lse, q, k, v, segments, shape, rule.bias);
    check_general(stream, shape.d);
    if (q.dtype == DType::bf16) return general_attention<bf16>(stream, out, lse, q, k, v, segments, shape, rule.bias);
    general_attention<float>(stream, out, lse, q, k, v, segments, shape, rule.bias);
}

}  // namespace temper::cuda
