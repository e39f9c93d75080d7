// Of the backward pass: one probability and the gradient of its score.
#pragma once
#include "kernels/cuda/attention_softmax.h"
#include "kernels/cuda/attention_tensor.h"
#include "kernels/cuda/attention_walk.h"

namespace temper::cuda {

struct Gradient {
    float weight, score;  // the probability, and the gradient of scale q k^T
};
// product: q k^T, with a cap its tanh; -infinity where the key is hidden. lse in powers of two, +infinity where there is no row.
template <bool capped> __device__ Gradient gradient(float product, float d_weight, float lse, float delta, const AttentionShape& shape) {
    const float weight = fast_exp2(fmaf(product, shape.factor, -lse));
    const float d_logit = weight * (d_weight - delta);
    // Where a hidden key has no tanh, its weight is zero already.
    return {weight, capped && weight > 0.0f ? d_logit * fmaf(-product, product, 1.0f) : d_logit};
}

}  // namespace temper::cuda
