// The ops of kernels/ops.h on a CUDA device, arguments already checked; every view points to device memory. One op or family one file beside this one.
#pragma once
#include "kernels/ops.h"

namespace temper::cuda {

void attention(Stream& stream, View out, View lse, View q, View k, View v, Span<const Segment> segments, const AttentionRule& rule);
void attention_backward(Stream& stream, View d_q, View d_k, View d_v, View d_out, View out, View lse, View q, View k, View v,
                        Span<const Segment> segments, const AttentionRule& rule);
// Bytes of device scratch for `tokens` rows, no segment longer than `longest` keys (prefix included), on a device of so many multiprocessors.
std::size_t attention_scratch(DType dtype, std::int64_t tokens, std::int64_t heads, std::int64_t kv_heads, std::int64_t d, std::int64_t longest,
                              int multiprocessors);
std::size_t attention_backward_scratch(std::int64_t tokens, std::int64_t heads);

}  // namespace temper::cuda
