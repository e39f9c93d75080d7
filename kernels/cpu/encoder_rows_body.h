// The row kernels of encoders on Vec; compiled once for each instruction set by encoder_rows*.cpp.
#pragma once
#include "kernels/cpu/encoder_rows.h"
#include "kernels/cpu/rows_body.h"

namespace temper::cpu {
namespace {

// z = x + residual is added up anew in each of the three passes: in float, and y may lie on either.
template <class T> void layer_norm(T* y, const T* x, const float* weight, const float* bias, const T* residual, std::int64_t n, float epsilon) {
    const auto load = [=](std::int64_t i, std::int64_t count) {
        const Vec value = load_part(x + i, count);
        return residual == nullptr ? value : value + load_part(residual + i, count);
    };
    const auto size = static_cast<float>(n);
    const Vec mean = Vec::broadcast(sum_row(n, [&](std::int64_t i, std::int64_t count, Vec sum) { return sum + load(i, count); }) / size);
    const float squares = sum_row(n, [&](std::int64_t i, std::int64_t count, Vec sum) {
        const Vec away = Vec::blend_below(count, load(i, count) - mean, Vec::zero());  // lanes behind the row's end are not the mean away
        return fma(away, away, sum);
    });
    const Vec scale = Vec::broadcast(1.0f) / sqrt(Vec::broadcast(squares / size + epsilon));
    for_vectors(n, [&](std::int64_t i, std::int64_t count) {
        store_part(fma((load(i, count) - mean) * scale, load_part(weight + i, count), load_part(bias + i, count)), y + i, count);
    });
}

// gelu(x) = x/2 (1 + erf(x / sqrt 2)) = max(x, 0) - t/2 erfc(t / sqrt 2), t = |x|: nothing cancels. erfc(t / sqrt 2) = e^(-t p(t)), p a minimax
// polynomial for [0, 6], within 8e-8; p grows behind that, where erfc is below 2e-9. At 30 it is 0 in float, and t not yet too large to multiply.
inline Vec gelu(Vec x) {
    const Vec zero = Vec::zero(), t = min(Vec::broadcast(30.0f), max(zero - x, x));
    Vec p = Vec::broadcast(0x1.07bd4ap-19f);
    p = fma(p, t, Vec::broadcast(-0x1.c9ed24p-16f));
    p = fma(p, t, Vec::broadcast(0x1.0ea35cp-13f));
    p = fma(p, t, Vec::broadcast(0x1.8e1c6ap-14f));
    p = fma(p, t, Vec::broadcast(-0x1.40dd14p-8f));
    p = fma(p, t, Vec::broadcast(0x1.2a1648p-5f));
    p = fma(p, t, Vec::broadcast(0x1.45f024p-2f));
    p = fma(p, t, Vec::broadcast(0x1.98846cp-1f));
    const Vec minus_t = zero - t;
    return fma(minus_t * Vec::broadcast(0.5f), exp_not_above(minus_t * p), max(zero, x));
}

template <class T, class Function> void map_row(T* x, std::int64_t n, const Function& function) {
    for_vectors(n, [=](std::int64_t i, std::int64_t count) { store_part(function(load_part(x + i, count)), x + i, count); });
}

template <class T> void gelu_row(T* x, std::int64_t n) {
    map_row(x, n, [](Vec v) { return gelu(v); });
}
template <class T> void gelu_tanh_row(T* x, std::int64_t n) {
    map_row(x, n, [](Vec v) { return Gelu(v).value; });
}
template <class T> void relu_row(T* x, std::int64_t n) {
    map_row(x, n, [](Vec v) { return max(Vec::zero(), v); });
}
template <class T> void tanh_row(T* x, std::int64_t n) {
    map_row(x, n, [](Vec v) { return tanh(v); });
}

template <class T> void sum_rows(T* out, const T* const* rows, std::int64_t count, std::int64_t n) {
    for_vectors(n, [=](std::int64_t i, std::int64_t lanes) {
        Vec sum = load_part(rows[0] + i, lanes);
        for (std::int64_t r = 1; r < count; ++r) sum = sum + load_part(rows[r] + i, lanes);
        store_part(sum, out + i, lanes);
    });
}

template <class T> void accumulate(float* sums, const T* x, std::int64_t n, float factor) {
    const Vec by = Vec::broadcast(factor);
    for_vectors(
        n, [=](std::int64_t i, std::int64_t count) { store_part(fma(load_part(x + i, count), by, load_part(sums + i, count)), sums + i, count); });
}

template <class T> void raise(float* tops, const T* x, std::int64_t n) {
    for_vectors(n,
                [=](std::int64_t i, std::int64_t count) { store_part(max(load_part(tops + i, count), load_part(x + i, count)), tops + i, count); });
}

template <class T> void normalize(T* x, std::int64_t n) {
    const float squares = sum_row(n, [x](std::int64_t i, std::int64_t count, Vec sum) {
        const Vec value = load_part(x + i, count);
        return fma(value, value, sum);
    });
    const Vec length = max(Vec::broadcast(1e-12f), sqrt(Vec::broadcast(squares)));
    map_row(x, n, [=](Vec v) { return v / length; });
}

template <class T> constexpr EncoderRows<T> make_encoder_rows() {
    return {&layer_norm<T>, {&gelu_row<T>, &gelu_tanh_row<T>, &relu_row<T>, &tanh_row<T>}, &sum_rows<T>, &accumulate<T>, &raise<T>, &normalize<T>};
}

}  // namespace
}  // namespace temper::cpu
