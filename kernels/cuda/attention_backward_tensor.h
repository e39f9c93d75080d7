// Backward attention of bfloat16 on tensor cores: what its kernels are given, and who launches them. No sum is shared by two blocks: one kernel owns
// rows (d_q), one owns keys (d_k, d_v), and both make the probabilities anew from lse.
//   P = 2^(logit - lse),  D = P (d_out v^T - delta),  delta = sum(d_out out)                                     [Dao et al. 2022, algorithm 4]
//   d_v = P^T d_out,  d_k = scale D^T q,  d_q = scale D k;  with a cap D is multiplied by 1 - tanh^2
#pragma once
#include "kernels/cuda/attention_backward.h"

namespace temper::cuda {

constexpr int backward_rows(int width) { return width <= 128 ? 128 : 64; }                     // a tile of rows that the kernel of d_q owns
constexpr int backward_keys(int width) { return width <= 64 ? 128 : width <= 128 ? 64 : 32; }  // of keys that the kernel of d_k and d_v owns
constexpr int backward_row_keys(int width) { return width <= 128 ? 32 : 16; }                  // keys of a tile that the kernel of d_q goes through

void launch_backward_rows(Stream& stream, const BackwardCall<bf16>& arguments, std::int64_t tiles);
void launch_backward_keys(Stream& stream, const BackwardCall<bf16>& arguments, std::int64_t tiles);

}  // namespace temper::cuda
