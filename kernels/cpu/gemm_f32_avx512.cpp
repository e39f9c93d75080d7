#include "kernels/cpu/vector_avx512.h"

#include "kernels/cpu/gemm_f32_body.h"

namespace temper::cpu {

void gemm_f32_avx512(const GemmF32& block) { multiply_all<1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12>(block); }

}  // namespace temper::cpu
