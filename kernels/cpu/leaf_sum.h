// Adapter gradients of one leaf: out[r][c] = sum over its tokens t of left[t][r] * right[t][c], in float32, pairs of tokens in
// ascending order from the leaf's first. A leaf gives the same bits wherever it lies and whoever computes it.
#pragma once
#include <cstdint>

#include "kernels/stream.h"
#include "kernels/tensor.h"

namespace temper::cpu {

constexpr std::int64_t kLeafColumns = 256;  // most columns of a call

struct LeafSum {
    std::int64_t tokens = 0, ranks = 0, columns = 0;
    const std::uint32_t* left = nullptr;  // (token pairs, ranks): token 2p in the lower half, 2p + 1 (or zero) in the upper
    std::int64_t left_stride = 0;
    const bf16* right = nullptr;  // (tokens, columns)
    std::int64_t right_stride = 0;
    float* out = nullptr;  // out[r * rank_step + c * column_step]
    std::int64_t rank_step = 0, column_step = 0;
};

void leaf_sum(Isa isa, const LeafSum& sum);

void leaf_sum_scalar(const LeafSum& sum);
void leaf_sum_avx2(const LeafSum& sum);
void leaf_sum_avx512(const LeafSum& sum);
void leaf_sum_avx512_bf16(const LeafSum& sum);
void leaf_sum_amx(const LeafSum& sum);

}  // namespace temper::cpu
