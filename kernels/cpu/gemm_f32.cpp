#include "kernels/cpu/gemm_f32.h"

#include "kernels/cpu/vector_scalar.h"

#include "kernels/cpu/gemm_f32_body.h"

namespace temper::cpu {

void gemm_f32_scalar(const GemmF32& block) { multiply_all<1>(block); }

void gemm_f32(Isa isa, const GemmF32& block) {
    if (isa == Isa::scalar) return gemm_f32_scalar(block);
    return isa == Isa::avx2 ? gemm_f32_avx2(block) : gemm_f32_avx512(block);
}

}  // namespace temper::cpu
