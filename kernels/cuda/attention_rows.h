// Rows and keys of a segment as the kernels of attention find them in memory, and how sums over splits are put together.
#pragma once
#include "kernels/cuda/attention_work.h"

namespace temper::cuda {

// A segment with numbers that fit registers.
struct Span32 {
    int begin, length, key_begin, prefix_begin, prefix_length;

    __device__ int key_row(int key) const { return key < prefix_length ? prefix_begin + key : key_begin + key - prefix_length; }
};
__device__ inline Span32 span_of(const Segment& s) {
    return {static_cast<int>(s.begin), static_cast<int>(s.length), static_cast<int>(s.key_begin), static_cast<int>(s.prefix_begin),
            static_cast<int>(s.prefix_length)};
}

// A piece of work as its block sees it. Where registers are short it is noted in shared memory and read again behind a barrier.
struct RowTask {
    Span32 span;
    int first, key_begin, key_end, slot, kv_head;

    __device__ int rows(const AttentionShape& shape) const { return span.length * shape.group - first; }  // from `first` on
};
constexpr int kTaskNumbers = 12;  // 11, and one so that what follows is aligned
__device__ inline RowTask task_of(Global<const Segment> segments, Global<const RowWork> list, int item, int kv_heads) {
    const RowWork work = list[item / kv_heads];
    const Segment segment = segments[work.segment];
    return {span_of(segment), work.first, work.key_begin, work.key_end, work.slot, item % kv_heads};
}
__device__ inline void note_task(Shared<int> notes, const RowTask& task, int item) {
    notes[0] = task.span.begin, notes[1] = task.span.length, notes[2] = task.span.key_begin, notes[3] = task.span.prefix_begin;
    notes[4] = task.span.prefix_length, notes[5] = task.first, notes[6] = task.key_begin, notes[7] = task.key_end, notes[8] = task.slot;
    notes[9] = task.kv_head, notes[10] = item;
}
__device__ inline RowTask noted_task(Shared<int> notes) {
    return {{notes[0], notes[1], notes[2], notes[3], notes[4]}, notes[5], notes[6], notes[7], notes[8], notes[9]};
}

__device__ inline int thread_index() { return static_cast<int>(threadIdx.x); }
__device__ inline int lane_index() { return static_cast<int>(threadIdx.x) % kWarp; }
__device__ inline int warp_index() { return static_cast<int>(threadIdx.x) / kWarp; }

__device__ inline int position_of(const AttentionShape& shape, int row) {
    return static_cast<int>(static_cast<std::uint64_t>(row) * shape.group_inverse >> 32);
}
// Offset of a row's numbers in q, out and their gradients, whose rows are `stride` apart; -1 behind the segment's last.
__device__ inline std::int64_t row_offset(const AttentionShape& shape, const RowTask& task, int row, std::int64_t stride) {
    if (row >= task.rows(shape)) return -1;
    const int position = position_of(shape, task.first + row), head = task.kv_head * shape.group + task.first + row - position * shape.group;
    return (task.span.begin + position) * stride + static_cast<std::int64_t>(head) * shape.d;
}
// Offset of a key's numbers in k or v; -1 behind the last that the task sees.
__device__ inline std::int64_t key_offset(const AttentionShape& shape, const RowTask& task, int key, std::int64_t stride) {
    return key < task.key_end ? task.span.key_row(key) * stride + static_cast<std::int64_t>(task.kv_head) * shape.d : -1;
}
// Number of a row in (tokens, heads) whose rows are `stride` apart.
__device__ inline std::int64_t statistic_offset(const AttentionShape& shape, const RowTask& task, int row, std::int64_t stride) {
    const int position = position_of(shape, task.first + row), head = task.kv_head * shape.group + task.first + row - position * shape.group;
    return (task.span.begin + position) * stride + head;
}
// Keys that a row sees, but for the window.
__device__ inline int seen_by(const AttentionShape& shape, const RowTask& task, int row) {
    return task.span.prefix_length + (shape.causal != 0 ? position_of(shape, task.first + row) + 1 : task.span.length);
}

// The logit of a product, in powers of two, before the factor: with a cap its tanh.
template <bool capped> __device__ float bend(float product, const AttentionShape& shape) { return capped ? tanhf(product * shape.inverse) : product; }

// What a row's logit of key 0 - position finds in its head's table is number `zero` there, or one of the two ends.
struct BiasRow {
    int begin, zero, last;  // of the table; zero and last count from begin

    __device__ float of(Global<const float> bias, int key) const { return bias[begin + min(max(zero + key, 0), last)]; }
};
// With a bias every head has its own keys: a row is a position.
__device__ inline BiasRow bias_row(const AttentionShape& shape, int head, int position) {
    return {head * shape.bias_stride, shape.bias_radius - position, 2 * shape.bias_radius};
}

// Softmax of one row over some keys: the largest logit and the sum of 2^(logit - largest). Merging two takes a factor for each one's sums.
struct Partial {
    float largest, total;
};
struct Merge {
    float before, after;
};
__device__ inline Merge merge(Partial& sums, const Partial& more) {
    const float largest = fmaxf(sums.largest, more.largest);
    const Merge factors = {exp2f(sums.largest - largest), exp2f(more.largest - largest)};
    sums = {largest, fmaf(sums.total, factors.before, more.total * factors.after)};
    return factors;
}
__device__ inline float merged(const Merge& factors, float before, float after) { return fmaf(before, factors.before, after * factors.after); }

__device__ inline float lse_of(const Partial& sums) { return fmaf(sums.largest, kLn2, logf(sums.total)); }

}  // namespace temper::cuda
