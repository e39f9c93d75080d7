// The functions of a CUDA device, one an op.
#include <algorithm>

#include "kernels/cuda/cuda_ops.h"
#include "kernels/error.h"
#include "kernels/op_table.h"

namespace temper::cuda {
namespace {

// In place of an op that has no CUDA kernels: whoever calls it is told.
template <class Function> struct Missing;
template <class Result, class... Arguments> struct Missing<Result (*)(Arguments...)> {
    static Result call(Arguments...) { throw_error(ExitCode::internal, "an op has no CUDA kernels yet; take device: cpu"); }
};
template <class Function> constexpr Function missing(Function OpTable::*) { return Missing<Function>::call; }

using Linear = OpTable::Linear;

// Weights that a device is given are its own.
const BorderedLinear& bordered(const Linear& weight) { return static_cast<const BorderedLinear&>(weight); }

const OpTable the_table = {
    .make_linear = []() -> std::unique_ptr<Linear> { return std::make_unique<BorderedLinear>(); },
    .linear = [](Stream& stream, View y, View x, const Linear& weight, View s, const Epilogue& epilogue, const Dropout& dropout,
                 std::int64_t adapted) { linear(stream, y, x, bordered(weight), s, epilogue, dropout, adapted); },
    .make_int8 = make_int8,
    .linear_int8 = linear_int8,
    .linear_backward = [](Stream& stream, View d_x, View d_adapter, View d_y, const Linear& weight, View x, View s, Span<const Leaf> leaves,
                          const Dropout& dropout) { linear_backward(stream, d_x, d_adapter, d_y, bordered(weight), x, s, leaves, dropout); },
    .linear_cross_entropy = [](Stream& stream, View nll, View correct, View d_x, View x, const Linear& head, OpTable::Rows rows, OpTable::Rows labels,
                               float grad_scale,
                               float cap) { linear_cross_entropy(stream, nll, correct, d_x, x, bordered(head), rows, labels, grad_scale, cap); },
    .linear_cross_entropy_weight =
        [](Stream& stream, View d_weight, View x, const Linear& head, View nll, OpTable::Rows rows, OpTable::Rows labels, float grad_scale,
           float cap) { linear_cross_entropy_weight(stream, d_weight, x, bordered(head), nll, rows, labels, grad_scale, cap); },
    .embedding = embedding,
    .embedding_of_weight = [](Stream& stream, View out, View ids, const Linear& table) { embedding(stream, out, ids, bordered(table)); },
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
    .quantized_head_scratch = quantized_head_scratch,
    .linear_cross_entropy_weight_scratch = linear_cross_entropy_weight_scratch,
    .vector_ops_scratch =
        [](DType dtype, std::int64_t tokens, std::int64_t width, std::int64_t parameters) {
            return std::max({spread_rows_scratch(dtype, tokens, width), embedding_backward_scratch(tokens), vector_scratch(parameters)});
        },
};

}  // namespace

const OpTable* table() { return &the_table; }

}  // namespace temper::cuda
