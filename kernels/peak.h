// The multiply-add rate of this machine, measured: the denominator of every "share of peak" that temper reports.
#pragma once
#include "kernels/stream.h"
#include "kernels/tensor.h"

namespace temper {

// FLOP/s (two a multiply-add) of all the stream's threads together, on registers alone: for bf16 the product instruction of the stream's
// ISA (an AVX2 or AVX-512 without bfloat16 products has its float32 one), for f32 the float32 one. Takes about 50 ms.
double peak_flops(Stream& stream, DType dtype);

}  // namespace temper
