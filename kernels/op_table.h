// What a device offers: one function an op, its arguments already checked by kernels/ops.cpp and kernels/linear.cpp. Meaning and shapes are those
// of kernels/ops.h.
#pragma once
#include <memory>

#include "kernels/int8.h"
#include "kernels/ops.h"
#include "kernels/prepared.h"

namespace temper {

struct OpTable {
    using Linear = PreparedLinear::Impl;
    using Rows = Span<const std::int32_t>;

    std::unique_ptr<Linear> (*make_linear)();
    void (*linear)(Stream&, View y, View x, const Linear& weight, View s, const Epilogue&, const Dropout&, std::int64_t adapted);
    std::unique_ptr<Int8Linear::Impl> (*make_int8)();
    void (*linear_int8)(Stream&, View y, View x, const Int8Linear::Impl& weight, const Epilogue&);
    void (*linear_backward)(Stream&, View d_x, View d_adapter, View d_y, const Linear& weight, View x, View s, Span<const Leaf>, const Dropout&);
    void (*linear_cross_entropy)(Stream&, View nll, View correct, View d_x, View x, const Linear& head, Rows rows, Rows labels, float grad_scale,
                                 float softcap);
    void (*linear_cross_entropy_weight)(Stream&, View d_weight, View x, const Linear& head, View nll, Rows rows, Rows labels, float grad_scale,
                                        float softcap);
    void (*embedding)(Stream&, View out, View ids, View table);
    void (*embedding_of_weight)(Stream&, View out, View ids, const Linear& table);
    void (*embedding_sum)(Stream&, View out, Span<const ops::EmbeddingPart> parts);
    void (*embedding_backward)(Stream&, View d_table, View ids, View d_out, float scale, bool accumulate);
    void (*spread_rows)(Stream&, View x, View rows);
    void (*rms_norm)(Stream&, View y, View x, View weight, float epsilon, View residual);
    void (*rms_norm_backward)(Stream&, View d_x, View d_y, View x, View weight, float epsilon, View d_residual);
    void (*layer_norm)(Stream&, View y, View x, View weight, View bias, float epsilon, View residual);
    void (*rope)(Stream&, View x, View positions, RopeTable table, bool inverse);
    void (*swiglu)(Stream&, View activated, View gate_up);
    void (*swiglu_backward)(Stream&, View d_gate_up, View d_activated, View gate_up);
    void (*geglu)(Stream&, View activated, View gate_up);
    void (*geglu_backward)(Stream&, View d_gate_up, View d_activated, View gate_up);
    void (*pointwise)(Stream&, View x, Pointwise function);
    void (*scale_rows)(Stream&, View x, Span<const float> factors);
    void (*scale)(Stream&, View x, float factor);
    void (*softcap)(Stream&, View x, float cap);
    void (*attention)(Stream&, View out, View lse, View q, View k, View v, Span<const Segment>, const AttentionRule&);
    void (*attention_backward)(Stream&, View d_q, View d_k, View d_v, View d_out, View out, View lse, View q, View k, View v, Span<const Segment>,
                               const AttentionRule&);
    void (*pool)(Stream&, View out, View x, Span<const Segment>, ops::Pooling mode);
    void (*l2_normalize)(Stream&, View x);
    void (*adamw)(Stream&, View parameters, View gradients, View first_moment, View second_moment, float grad_scale, const ops::AdamW&);
    double (*global_norm)(Stream&, View values);
    void (*copy)(Stream&, View target, View source);
    void (*put_rows)(Stream&, View target, View source, View rows);
    void (*add)(Stream&, View target, View source);
    std::int64_t (*first_non_finite)(Stream&, View values);
    std::size_t (*attention_backward_scratch)(DType, std::int64_t tokens, std::int64_t heads, std::int64_t kv_heads, std::int64_t d,
                                              std::int64_t longest, int threads);
    std::size_t (*linear_backward_scratch)(DType, std::int64_t tokens, std::int64_t out, std::int64_t in, std::int64_t rank_total, int threads,
                                           ops::LinearVariant);
    std::size_t (*linear_cross_entropy_scratch)(DType, std::int64_t tokens, std::int64_t hidden_size, std::int64_t vocabulary, int threads);
    std::size_t (*quantized_head_scratch)(DType, std::int64_t hidden_size, std::int64_t vocabulary, int threads);
    std::size_t (*linear_cross_entropy_weight_scratch)(std::int64_t tokens, std::int64_t hidden_size, int threads);
    std::size_t (*vector_ops_scratch)(DType, std::int64_t tokens, std::int64_t width, std::int64_t parameters);
};

namespace cpu {
extern const OpTable table;
}
namespace cuda {
const OpTable* table();  // null in a build without CUDA kernels
}
const OpTable& kernels_of(Device device);  // internal Error where this build has none

}  // namespace temper
