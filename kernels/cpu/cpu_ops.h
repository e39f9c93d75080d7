// The ops of kernels/ops.h on the CPU, arguments already checked. One op one file beside this one.
#pragma once
#include "kernels/cpu/prepared.h"
#include "kernels/int8.h"
#include "kernels/ops.h"

namespace temper::cpu {

std::unique_ptr<Int8Linear::Impl> make_int8();
void linear_int8(Stream& stream, View y, View x, const Int8Linear::Impl& weight, const Epilogue& epilogue);
void embedding(Stream& stream, View out, View ids, View table);
void embedding(Stream& stream, View out, View ids, const PackedLinear& table);
void embedding_sum(Stream& stream, View out, Span<const ops::EmbeddingPart> parts);
void copy(Stream& stream, View target, View source);
void put_rows(Stream& stream, View target, View source, View rows);
void embedding_backward(Stream& stream, View d_table, View ids, View d_out, float scale, bool accumulate);
void spread_rows(Stream& stream, View x, View rows);
void rms_norm(Stream& stream, View y, View x, View weight, float epsilon, View residual);
void rms_norm_backward(Stream& stream, View d_x, View d_y, View x, View weight, float epsilon, View d_residual);
void layer_norm(Stream& stream, View y, View x, View weight, View bias, float epsilon, View residual);
void rope(Stream& stream, View x, View positions, RopeTable table, bool inverse);
void swiglu(Stream& stream, View activated, View gate_up);
void swiglu_backward(Stream& stream, View d_gate_up, View d_activated, View gate_up);
void geglu(Stream& stream, View activated, View gate_up);
void geglu_backward(Stream& stream, View d_gate_up, View d_activated, View gate_up);
void pointwise(Stream& stream, View x, Pointwise function);
void scale_rows(Stream& stream, View x, Span<const float> factors);
void scale(Stream& stream, View x, float factor);
void softcap(Stream& stream, View x, float cap);
void attention(Stream& stream, View out, View lse, View q, View k, View v, Span<const Segment> segments, const AttentionRule& rule);
void attention_backward(Stream& stream, View d_q, View d_k, View d_v, View d_out, View out, View lse, View q, View k, View v,
                        Span<const Segment> segments, const AttentionRule& rule);
std::size_t attention_backward_scratch(DType dtype, std::int64_t tokens, std::int64_t heads, std::int64_t kv_heads, std::int64_t d,
                                       std::int64_t longest, int threads);
void pool(Stream& stream, View out, View x, Span<const Segment> segments, ops::Pooling mode);
void l2_normalize(Stream& stream, View x);
void adamw(Stream& stream, View parameters, View gradients, View first_moment, View second_moment, float grad_scale, const ops::AdamW& config);
double global_norm(Stream& stream, View values);
void add(Stream& stream, View target, View source);
std::int64_t first_non_finite(Stream& stream, View values);

}  // namespace temper::cpu
