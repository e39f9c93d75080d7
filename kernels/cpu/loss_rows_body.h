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

inline void row_gradient(float* out, const float* exponentials, std::int64_t n, std::int64_t label, float sum, float scale) {
    const float wanted = (exponentials[label] / sum - 1.0f) * scale;
    const Vec factor = Vec::broadcast(scale / sum);
    for_vectors(n, [&](std::int64_t i, std::int64_t count) {
        Vec gradient = load_part(exponentials + i, count) * factor;
        const std::int64_t lane = label - i;
        if (lane >= 0 && lane < count) gradient = Vec::blend_below(lane + 1, Vec::blend_below(lane, gradient, Vec::broadcast(wanted)), gradient);
        store_part(gradient, out + i, count);
    });
}

inline float first_lane(Vec x) {
    float lanes[Vec::width];
    x.store(lanes);
    return lanes[0];
}

inline float row_online(OnlineLoss& state, std::uint16_t* out, const float* logits, std::int64_t n, std::int64_t label, float inverse_cap) {
    const std::int64_t split = label < 0 ? 0 : label < n ? label : n;  // where the label's side begins
    const float before = largest_of(logits, split), behind = largest_of(logits + split, n - split);
    if (label >= 0) state.before = before > state.before ? before : state.before;
    if (label < n) state.behind = behind > state.behind ? behind : state.behind;
    if (label >= 0 && label < n) state.wanted = logits[label];
    const float largest = before > behind ? before : behind, old = state.largest;
    if (largest > old) state.largest = largest;
    const Vec shift = Vec::broadcast(state.largest);
    Vec sums = Vec::zero();
    for_vectors(n, [&](std::int64_t i, std::int64_t count) {
        const Vec logit = load_part(logits + i, count);
        Vec e = exp(logit - shift);
        const std::int64_t lane = label - i;
        if (lane >= 0 && lane < count) e = Vec::blend_below(lane + 1, Vec::blend_below(lane, e, Vec::zero()), e);
        sums = sums + Vec::blend_below(count, e, Vec::zero());
        if (out == nullptr) return;
        if (inverse_cap != 0.0f) {
            const Vec t = logit * Vec::broadcast(inverse_cap);
            e = e * (Vec::broadcast(1.0f) - t * t);
        }
        store_part(e, out + i, count);
    });
    const float factor = first_lane(exp(Vec::broadcast(old) - shift));
    state.others = state.others * factor + sums.sum();
    return factor;
}

inline float row_exponential(float x) { return first_lane(exp(Vec::broadcast(x))); }

inline void row_multiply(float* values, std::int64_t n, float factor) {
    const Vec by = Vec::broadcast(factor);
    for_vectors(n, [&](std::int64_t i, std::int64_t count) { store_part(load_part(values + i, count) * by, values + i, count); });
}

inline void row_cap(float* values, float* slopes, std::int64_t n, float cap) {
    const Vec by = Vec::broadcast(cap), one = Vec::broadcast(1.0f);
    for_vectors(n, [&](std::int64_t i, std::int64_t count) {
        const Vec t = tanh(load_part(values + i, count) / by);
        store_part(t * by, values + i, count);
        if (slopes != nullptr) store_part(one - t * t, slopes + i, count);
    });
}

inline void row_multiply_rows(float* values, const float* factors, std::int64_t n) {
    for_vectors(
        n, [&](std::int64_t i, std::int64_t count) { store_part(load_part(values + i, count) * load_part(factors + i, count), values + i, count); });
}

constexpr LossKernels make_loss_kernels() { return {row_loss, row_gradient, row_online, row_exponential, row_multiply, row_cap, row_multiply_rows}; }

}  // namespace
}  // namespace temper::cpu
