// The ops of kernels/ops.h on a CUDA device, arguments already checked; every view points to device memory. One op or family one file beside this one.
#pragma once
#include "kernels/cuda/bordered.h"
#include "kernels/int8.h"
#include "kernels/ops.h"

namespace temper::cuda {

std::unique_ptr<Int8Linear::Impl> make_int8();
void linear_int8(Stream& stream, View y, View x, const Int8Linear::Impl& weight, const Epilogue& epilogue);
void embedding(Stream& stream, View out, View ids, View table);
void embedding(Stream& stream, View out, View ids, const BorderedLinear& table);
void embedding_sum(Stream& stream, View out, Span<const ops::EmbeddingPart> parts);
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
// Of the larger of attention's two passes, where lse is kept.
std::size_t attention_backward_scratch(DType dtype, std::int64_t tokens, std::int64_t heads, std::int64_t kv_heads, std::int64_t d,
                                       std::int64_t longest, int threads);
void pool(Stream& stream, View out, View x, Span<const Segment> segments, ops::Pooling mode);
void l2_normalize(Stream& stream, View x);
void adamw(Stream& stream, View parameters, View gradients, View first_moment, View second_moment, float grad_scale, const ops::AdamW& config);
double global_norm(Stream& stream, View values);
// One of the two may lie in host memory: what comes to the host is there when the stream has been synchronized.
void copy(Stream& stream, View target, View source);
void put_rows(Stream& stream, View target, View source, View rows);
void add(Stream& stream, View target, View source);
std::int64_t first_non_finite(Stream& stream, View values);

// The first `adapted` rows take the adapters.
void linear(Stream& stream, View y, View x, const BorderedLinear& weight, View s, const Epilogue& epilogue, const Dropout& dropout,
            std::int64_t adapted);
void linear_backward(Stream& stream, View d_x, View d_adapter, View d_y, const BorderedLinear& weight, View x, View s, Span<const Leaf> leaves,
                     const Dropout& dropout);
void linear_cross_entropy(Stream& stream, View nll, View correct, View d_x, View x, const BorderedLinear& head, Span<const std::int32_t> rows,
                          Span<const std::int32_t> labels, float grad_scale, float softcap);
void linear_cross_entropy_weight(Stream& stream, View d_weight, View x, const BorderedLinear& head, View nll, Span<const std::int32_t> rows,
                                 Span<const std::int32_t> labels, float grad_scale, float softcap);
// Of the larger of a linear's two passes.
std::size_t linear_backward_scratch(DType dtype, std::int64_t tokens, std::int64_t out, std::int64_t in, std::int64_t rank_total, int threads,
                                    ops::LinearVariant variant);
std::size_t linear_cross_entropy_scratch(DType dtype, std::int64_t tokens, std::int64_t hidden_size, std::int64_t vocabulary, int threads);
std::size_t quantized_head_scratch(DType dtype, std::int64_t hidden_size, std::int64_t vocabulary, int threads);
std::size_t linear_cross_entropy_weight_scratch(std::int64_t labels, std::int64_t width, int threads);
std::size_t spread_rows_scratch(DType dtype, std::int64_t tokens, std::int64_t width);
std::size_t embedding_backward_scratch(std::int64_t tokens);
std::size_t vector_scratch(std::int64_t count);  // of global_norm and first_non_finite of a vector

}  // namespace temper::cuda
