#include "kernels/cpu/vector_avx512.h"

#include "kernels/cpu/amx_registers.h"
#include "kernels/cpu/attention_backward.h"
#include "kernels/cpu/attention_operand_tiles.h"

namespace temper::cpu {

const AttentionKernels attention_bf16_amx = make_attention_kernels<TileOperand<TileRegisters>, std::uint16_t>();

}  // namespace temper::cpu
