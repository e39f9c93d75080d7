// The kernels of loss_rows.h on Vec, whichever vector_*.h was included before.
#pragma once
#include <cmath>
#include <limits>

#include "kernels/cpu/loss_rows.h"
#include "kernels/cpu/vector_math.h"

namespace temper::cpu {
namespace {

inline float largest_of(const float* values, std::int64_t n) {
    const Vec none = Vec::broadcast(-std::numeric_limits<float>::infinity());
    Vec largest = none;
    for_vectors(n, [&](std::int64_t i, std::int64_t count) { largest = max(largest, Vec::blend_below(count, load_part(values + i, count), none)); });
    return largest.largest();
}

inline RowLoss row_loss(float* logits, std::int64_t n, std::int64_t label) {
    const float wanted = logits[label], before = largest_of(logits, label), behind = largest_of(logits + label, n - label);
    const float largest = before > behind ? before : behind;
    const Vec shift = Vec::broadcast(largest);
    Vec sums = Vec::zero();
    for_vectors(n, [&](std::int64_t i, std::int64_t count) {
        const Vec e = exp(load_part(logits + i, count) - shift);
        store_part(e, logits + i, count);
        sums = sums + Vec::blend_below(count, e, Vec::zero());
    });
    RowLoss result;
    result.sum = sums.sum();
    result.nll = std::log(result.sum) + (largest - wanted);
    result.correct = before < wanted && !(behind > wanted);
    return result;
}

template <class T> void row_gradient(T* out, const float* exponentials, std::int64_t n, std::int64_t label, float sum, float scale) {
    const float wanted = (exponentials[label] / sum - 1.0f) * scale;
    const Vec factor = Vec::broadcast(scale / sum);
    for_vectors(n, [&](std::int64_t i, std::int64_t count) {
        Vec gradient = load_part(exponentials + i, count) * factor;
        const std::int64_t lane = label - i;
        if (lane >= 0 && lane < count) gradient = Vec::blend_below(lane + 1, Vec::blend_below(lane, gradient, Vec::broadcast(wanted)), gradient);
        store_part(gradient, out + i, count);
    });
}

constexpr LossKernels make_loss_kernels() { return {row_loss, row_gradient<float>, row_gradient<std::uint16_t>}; }

}  // namespace
}  // namespace temper::cpu
