// The functions of a CUDA device, one an op.
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

const OpTable the_table = {
    .make_linear = missing(&OpTable::make_linear),
    .linear = missing(&OpTable::linear),
    .linear_backward = missing(&OpTable::linear_backward),
    .linear_cross_entropy = missing(&OpTable::linear_cross_entropy),
    .linear_cross_entropy_weight = missing(&OpTable::linear_cross_entropy_weight),
    .embedding = embedding,
    .embedding_of_weight = missing(&OpTable::embedding_of_weight),
    .embedding_backward = embedding_backward,
    .spread_rows = spread_rows,
    .rms_norm = rms_norm,
    .rms_norm_backward = rms_norm_backward,
    .rope = rope,
    .swiglu = swiglu,
    .swiglu_backward = swiglu_backward,
    .geglu = geglu,
    .geglu_backward = geglu_backward,
    .scale_rows = scale_rows,
    .scale = scale,
    .softcap = softcap,
    .attention = missing(&OpTable::attention),
    .attention_backward = missing(&OpTable::attention_backward),
    .adamw = adamw,
    .global_norm = global_norm,
    .copy = copy,
    .add = add,
    .first_non_finite = first_non_finite,
    .attention_backward_scratch = missing(&OpTable::attention_backward_scratch),
    .linear_backward_scratch = missing(&OpTable::linear_backward_scratch),
    .linear_cross_entropy_scratch = missing(&OpTable::linear_cross_entropy_scratch),
    .linear_cross_entropy_weight_scratch = missing(&OpTable::linear_cross_entropy_weight_scratch),
};

}  // namespace

const OpTable* table() { return &the_table; }

}  // namespace temper::cuda
