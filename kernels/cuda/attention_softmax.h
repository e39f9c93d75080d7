// Softmax on accumulators of scores (attention_tiles.h). Prefill and decoding both go through these functions in the same order: same bits.
#pragma once
#include <type_traits>

#include "kernels/cuda/attention_tiles.h"

namespace temper::cuda {

// A row lies in the four lanes of a quad.
__device__ inline float largest_of_row(float x) {
    x = fmaxf(x, __shfl_xor_sync(kFullWarp, x, 1));
    return fmaxf(x, __shfl_xor_sync(kFullWarp, x, 2));
}
__device__ inline float sum_of_row(float x) {
    x += __shfl_xor_sync(kFullWarp, x, 1);
    return x + __shfl_xor_sync(kFullWarp, x, 2);
}

__device__ inline float largest_of_pair(const float (&scores)[4], int half) { return fmaxf(scores[2 * half], scores[2 * half + 1]); }

// The row's largest logit is at least `logit` from now on; the factor for what was summed before.
__device__ inline float raise(Partial& state, float logit) {
    const float before = state.largest;
    state.largest = fmaxf(before, logit);
    return fast_exp2(before - state.largest);
}

// Two scores of a row become 2^(logit - largest); their sum.
__device__ inline float exponentials(float (&scores)[4], int half, float largest, float factor) {
    scores[2 * half] = fast_exp2(fmaf(scores[2 * half], factor, -largest));
    scores[2 * half + 1] = fast_exp2(fmaf(scores[2 * half + 1], factor, -largest));
    return scores[2 * half] + scores[2 * half + 1];
}
// Of 64 keys, sums over 16 each: in decoding four warps have one each.
__device__ inline float sum_of_quarters(const float (&sums)[4]) { return (sums[0] + sums[1]) + (sums[2] + sums[3]); }

template <bool capped, int M, int N> __device__ void bend_scores(float (&scores)[M][N][4], const AttentionShape& shape) {
    if constexpr (capped) {
#pragma unroll
        for (int m = 0; m < M; ++m)
#pragma unroll
            for (int n = 0; n < N; ++n)
#pragma unroll
                for (int e = 0; e < 4; ++e) scores[m][n][e] = bend<true>(scores[m][n][e], shape);
    }
}

// How products become logits, before the factor: by nothing, by the cap's tanh, by scale and bias.
enum class Logits { plain, capped, biased };
template <Logits logits> using OfLogits = std::integral_constant<Logits, logits>;
template <int D, class Visit> void with_logits(const AttentionShape& shape, const Visit& visit) {
    if (shape.inverse > 0.0f) return visit(OfLogits<Logits::capped>());
    if constexpr (D <= kWidestBiased)
        if (shape.bias_radius >= 0) return visit(OfLogits<Logits::biased>());
    visit(OfLogits<Logits::plain>());
}

// Of rows [row, +16 M) of a segment and keys from number `first` on.
template <Logits logits, int M, int N>
__device__ void make_logits(float (&scores)[M][N][4], Global<const float> bias, const AttentionShape& shape, int kv_head, int row, int first) {
    bend_scores<logits == Logits::capped>(scores, shape);
    if constexpr (logits == Logits::biased) {
        const int lane = anew(lane_index());
#pragma unroll
        for (int m = 0; m < M; ++m)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const BiasRow table = bias_row(shape, kv_head, row + 16 * m + 8 * half + lane / 4);
#pragma unroll
                for (int n = 0; n < N; ++n)
#pragma unroll
                    for (int e = 0; e < 2; ++e) {
                        float& score = scores[m][n][2 * half + e];
                        score = fmaf(score, shape.scale, table.of(bias, first + 8 * n + lane % 4 * 2 + e));
                    }
            }
    }
}

// Scores of rows [row, +16 M) of a tile against keys from number `first` on: those that a row does not see become -infinity. sees[r]: keys that
// row r sees but for the window. The lane anew: what is kept of it over the loop of keys would not fit the registers.
template <int M, int N> __device__ void hide_keys(float (&scores)[M][N][4], Shared<int> sees, int row, int first, int window) {
    const int lane = anew(lane_index());
#pragma unroll
    for (int m = 0; m < M; ++m)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int end = sees[row + 16 * m + 8 * half + lane / 4], begin = window > 0 ? end - window : 0;
#pragma unroll
            for (int n = 0; n < N; ++n)
#pragma unroll
                for (int e = 0; e < 2; ++e) {
                    const int key = first + 8 * n + lane % 4 * 2 + e;
                    if (key >= end || key < begin) scores[m][n][2 * half + e] = -INFINITY;
                }
        }
}

}  // namespace temper::cuda
