// Loops of peak_flops (kernels/peak.h), one an instruction set.
#pragma once
#include "kernels/stream.h"

namespace temper::cpu {

double peak_flops(Stream& stream, DType dtype);

// Multiply-adds of one thread, `rounds` times a fixed number of them; gives the FLOP done.
double spin_scalar(long rounds);
double spin_avx2(long rounds);
double spin_avx512(long rounds);
double spin_avx512_bf16(long rounds);
double spin_amx(long rounds);

}  // namespace temper::cpu
