// What this machine's device does at best, measured: the denominator of every "share of peak" that temper reports.
#pragma once
#include "kernels/stream.h"
#include "kernels/tensor.h"

namespace temper {

// FLOP/s, two a multiply-add. On the CPU of all the stream's threads together, on registers alone: for bf16 the product instruction of the stream's
// ISA (an AVX2 or AVX-512 without bfloat16 products has its float32 one), for f32 the float32 one. Takes about 50 ms.
// On a CUDA device the fastest of several large matrix products of the library, whatever its algorithm. Takes about a second, and half of the memory
// that is free beside what the process holds, at most 0.5 GB; 0 where less is free than the smallest product needs (100 MB).
double peak_flops(Stream& stream, DType dtype);

// Bytes a second of a CUDA device that copies within its own memory, what it reads and what it writes.
double copy_bandwidth(Stream& stream);

}  // namespace temper
