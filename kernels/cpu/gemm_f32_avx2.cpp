#include "kernels/cpu/vector_avx2.h"

#include "kernels/cpu/gemm_f32_body.h"

namespace temper::cpu {

void gemm_f32_avx2(const GemmF32& block) { multiply_all<1, 2, 3, 4, 5, 6>(block); }

}  // namespace temper::cpu
