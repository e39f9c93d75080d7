// 4-bit NormalFloat: 16 values that are quantiles of a normal distribution, scaled to [-1, 1].   [Dettmers et al. 2023, 3; bitsandbytes 0.50]
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/quantized.h"

namespace temper {

constexpr std::int64_t nf4_block = 64, nf4_nested_block = 256;  // bitsandbytes' defaults

const float* nf4_map();      // (16)
const float* dynamic_map();  // (256): signed numbers of 8 bits, more of them the smaller they are                   [Dettmers 2016, 2.1]

// From float32 or bfloat16. Same bits as bitsandbytes' quantize_4bit on the CPU, up to the last bit of the offset, the mean of all absmax:
// summed in float64 here, in float32 in an order of its own there.
void quantize_nf4(QuantMatrix& to, View weight /*(out, in)*/, bool double_quant);

}  // namespace temper
