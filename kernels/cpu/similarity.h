// The variants of kernels/similarity.h. Internal to kernels/cpu.
#pragma once
#include "kernels/similarity.h"

namespace temper::similarity {

extern const Kernels scalar_kernels, avx2_kernels, avx512_kernels;

}  // namespace temper::similarity
