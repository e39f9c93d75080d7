// The variants of kernels/similarity.h. Internal to kernels/cpu.
#pragma once
#include "kernels/similarity.h"

namespace temper::similarity {

Code encode_avx2(std::int8_t* codes, const float* x, std::int64_t dimensions);
extern const Kernels scalar_kernels, avx2_kernels, avx512_kernels;

}  // namespace temper::similarity
