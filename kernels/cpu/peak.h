// The bfloat16 multiply-add rate of this processor: the instruction of the stream's ISA on registers alone, on all its threads.
// The denominator of every "share of peak" that temper reports.
#pragma once
#include "kernels/stream.h"

namespace temper::cpu {

double bf16_peak(Stream& stream);  // FLOP/s; two a multiply-add

// Multiply-adds of one thread, `rounds` times a fixed number of them; gives the FLOP done.
double spin_scalar(long rounds);
double spin_avx2(long rounds);
double spin_avx512(long rounds);
double spin_avx512_bf16(long rounds);
double spin_amx(long rounds);

}  // namespace temper::cpu
