#include "kernels/cpu/vector_avx512.h"

#include "kernels/cpu/attention_backward.h"
#include "kernels/cpu/attention_operand_bf16.h"
#include "kernels/cpu/attention_operand_float.h"

namespace temper::cpu {

const AttentionKernels attention_f32_avx512 = make_attention_kernels<FloatOperand, float>();
const AttentionKernels attention_bf16_avx512 = make_attention_kernels<FloatOperand, std::uint16_t>();
const AttentionKernels attention_bf16_dot_avx512 = make_attention_kernels<PairOperand, std::uint16_t>();

}  // namespace temper::cpu
