// The linear layer on the CPU. Arguments are checked by kernels/linear.cpp.
#pragma once
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/partition.h"
#include "kernels/cpu/prepared.h"
#include "kernels/ops.h"

namespace temper::cpu {

// The first `adapted` rows take the adapters.
void linear(Stream& stream, View y, View x, const PackedLinear& weight, View s, const Epilogue& epilogue, const Dropout& dropout,
            std::int64_t adapted);
void linear_f32(Stream& stream, View y, View x, const PackedLinear& weight, View s, const Epilogue& epilogue, const Dropout& dropout,
                std::int64_t adapted);
// Of a weight in panels; pack_panels_f32 fills them from parts stacked along out, zeros behind.
void linear_panels_f32(Stream& stream, View y, View x, const PackedLinear& weight, const Epilogue& epilogue);
void pack_panels_f32(Stream& stream, float* to, Span<const View> weights, std::int64_t in);
void linear_bf16(Stream& stream, View y, View x, const PackedLinear& weight, View s, const Epilogue& epilogue, std::int64_t adapted);

void linear_backward(Stream& stream, View d_x, View d_adapter, View d_y, const PackedLinear& weight, View x, View s, Span<const Leaf> leaves,
                     const Dropout& dropout);
void linear_backward_f32(Stream& stream, View d_x, View d_adapter, View d_y, const PackedLinear& weight, View x, View s, Span<const Leaf> leaves,
                         const Dropout& dropout);
void linear_backward_bf16(Stream& stream, View d_x, View d_adapter, View d_y, const PackedLinear& weight, View x, View s, Span<const Leaf> leaves,
                          const Dropout& dropout);

void linear_cross_entropy(Stream& stream, View nll, View correct, View d_x, View x, const PackedLinear& head, Span<const std::int32_t> rows,
                          Span<const std::int32_t> labels, float grad_scale, float softcap);
void linear_cross_entropy_weight(Stream& stream, View d_weight, View x, const PackedLinear& head, View nll, Span<const std::int32_t> rows,
                                 Span<const std::int32_t> labels, float grad_scale, float softcap);

// Panels that a function of single numbers follows at a time, while what they gave is in the cache.
constexpr std::int64_t kMappedPanels = 8;

// Rows [begin, end) of y, complete but for the epilogue (a bfloat16 residual is already added by the product), through it.
void finish_rows(Isa isa, View y, const Epilogue& epilogue, Range rows);

// Rows [begin, end) of `from`, columns [first, first + columns), to bfloat16 rows of `depth` numbers, the rest zero.
void copy_padded(bf16* to, std::int64_t depth, View from, std::int64_t first, std::int64_t columns, Range rows);

std::size_t linear_backward_scratch(DType dtype, std::int64_t tokens, std::int64_t out, std::int64_t in, std::int64_t rank_total, int threads,
                                    ops::LinearVariant variant);
std::size_t linear_cross_entropy_scratch(DType dtype, std::int64_t tokens, std::int64_t hidden_size, std::int64_t vocabulary, int threads);
std::size_t expanded_head_scratch(DType dtype, std::int64_t hidden_size, std::int64_t vocabulary, int threads);
std::size_t linear_cross_entropy_weight_scratch(std::int64_t labels, std::int64_t width, int threads);

}  // namespace temper::cpu
