// The CPU's functions, one an op.
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/linear.h"
#include "kernels/op_table.h"

namespace temper::cpu {
namespace {

using Linear = OpTable::Linear;

// Weights that the CPU is given are its own.
const PackedLinear& packed(const Linear& weight) { return static_cast<const PackedLinear&>(weight); }

}  // namespace

const OpTable table = {
    .make_linear = []() -> std::unique_ptr<Linear> { return std::make_unique<PackedLinear>(); },
    .linear = [](Stream& stream, View y, View x, const Linear& weight, View s, const Epilogue& epilogue, const Dropout& dropout,
                 std::int64_t adapted) { linear(stream, y, x, packed(weight), s, epilogue, dropout, adapted); },
    .make_int8 = make_int8,
    .linear_int8 = linear_int8,
    .linear_backward = [](Stream& stream, View d_x, View d_adapter, View d_y, const Linear& weight, View x, View s, Span<const Leaf> leaves,
                          const Dropout& dropout) { linear_backward(stream, d_x, d_adapter, d_y, packed(weight), x, s, leaves, dropout); },
    .linear_cross_entropy = [](Stream& stream, View nll, View correct, View d_x, View x, const Linear& head, OpTable::Rows rows, OpTable::Rows labels,
                               float grad_scale,
                               float cap) { linear_cross_entropy(stream, nll, correct, d_x, x, packed(head), rows, labels, grad_scale, cap); },
    .linear_cross_entropy_weight =
        [](Stream& stream, View d_weight, View x, const Linear& head, View nll, OpTable::Rows rows, OpTable::Rows labels, float grad_scale,
           float cap) { linear_cross_entropy_weight(stream, d_weight, x, packed(head), nll, rows, labels, grad_scale, cap); },
    .embedding = embedding,
    .embedding_of_weight = [](Stream& stream, View out, View ids, const Linear& weight) { embedding(stream, out, ids, packed(weight)); },
    .embedding_sum = embedding_sum,
    .embedding_backward = embedding_backward,
    .spread_rows = spread_rows,
    .rms_norm = rms_norm,
    .rms_norm_backward = rms_norm_backward,
    .layer_norm = layer_norm,
    .rope = rope,
    .swiglu = swiglu,
    .swiglu_backward = swiglu_backward,
    .geglu = geglu,
    .geglu_backward = geglu_backward,
    .pointwise = pointwise,
    .scale_rows = scale_rows,
    .scale = scale,
    .softcap = softcap,
    .attention = attention,
    .attention_backward = attention_backward,
    .pool = pool,
    .l2_normalize = l2_normalize,
    .adamw = adamw,
    .global_norm = global_norm,
    .copy = copy,
    .put_rows = put_rows,
    .add = add,
    .first_non_finite = first_non_finite,
    .attention_backward_scratch = attention_backward_scratch,
    .linear_backward_scratch = linear_backward_scratch,
    .linear_cross_entropy_scratch = linear_cross_entropy_scratch,
    .quantized_head_scratch = expanded_head_scratch,
    .linear_cross_entropy_weight_scratch = linear_cross_entropy_weight_scratch,
    .vector_ops_scratch = [](DType, std::int64_t, std::int64_t, std::int64_t) { return std::size_t{0}; },  // little beside the others
};

}  // namespace temper::cpu
