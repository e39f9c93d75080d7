#include "kernels/cpu/vector_avx2.h"

#include "kernels/cpu/attention_backward.h"
#include "kernels/cpu/attention_operand_float.h"

namespace temper::cpu {

const AttentionKernels attention_f32_avx2 = make_attention_kernels<FloatOperand, float>();
const AttentionKernels attention_bf16_avx2 = make_attention_kernels<FloatOperand, std::uint16_t>();

}  // namespace temper::cpu
