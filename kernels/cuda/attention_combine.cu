#include "kernels/cuda/attention_combine.h"

#include "kernels/cuda/attention_rows.h"

namespace temper::cuda {
namespace {

constexpr int kThreads = 128;

// A block has the rows of one tile and key/value head, a thread some of their numbers.
template <class T> __global__ void attention_combine(Combine<T> args) {
    const AttentionShape& shape = args.shape;
    const SplitRows rows = args.rows[blockIdx.x / static_cast<unsigned>(shape.kv_heads)];
    if (rows.count == 0) return;
    const Segment segment = args.segments[rows.segment];
    const RowTask task = {span_of(segment), rows.first, 0, 0, rows.slot, static_cast<int>(blockIdx.x) % shape.kv_heads};
    const int count = min(args.tile_rows, task.rows(shape)), statistics = args.tile_rows * args.width;
    for (int i = thread_index(); i < count * shape.d; i += kThreads) {
        const int row = i / shape.d, column = i % shape.d;
        Partial state = {kNothingYet, 0.0f};
        float sum = 0.0f;
        for (int split = 0; split < rows.count; ++split) {
            const std::int64_t place = (static_cast<std::int64_t>(rows.slot + split) * shape.kv_heads + task.kv_head) * args.floats;
            const float more = args.sums[place + row * args.width + column];
            const Partial part = {args.sums[place + statistics + 2 * row], args.sums[place + statistics + 2 * row + 1]};
            if (split == 0) state = part, sum = more;
            else sum = merged(merge(state, part), sum, more);
        }
        args.out[row_offset(shape, task, row, shape.out_stride) + column] = round_to<T>(fmaf(sum, 1.0f / state.total, 0.0f));
        if (column == 0 && !args.lse.empty()) args.lse[statistic_offset(shape, task, row, shape.lse_stride)] = lse_of(state);
    }
}

template <class T> void launch_rows(Stream& stream, const Combine<T>& arguments, std::int64_t tiles) {
    launch(stream, attention_combine<T>, {tiles * arguments.shape.kv_heads}, kThreads, 0, arguments);
}

}  // namespace

void launch_combine(Stream& stream, const Combine<float>& arguments, std::int64_t tiles) { launch_rows(stream, arguments, tiles); }
void launch_combine(Stream& stream, const Combine<bf16>& arguments, std::int64_t tiles) { launch_rows(stream, arguments, tiles); }

}  // namespace temper::cuda
