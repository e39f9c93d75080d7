// The row kernels on Vec; compiled once for each instruction set by rows*.cpp.
#pragma once
#include "kernels/cpu/rows.h"
#include "kernels/cpu/vector_math.h"

namespace temper::cpu {
namespace {

// Sum of term(index, count) over a row, in four chains so that additions overlap; the order depends on n alone.
template <class Term> float sum_row(std::int64_t n, const Term& term) {
    Vec chains[4] = {Vec::zero(), Vec::zero(), Vec::zero(), Vec::zero()};
    std::int64_t i = 0;
    for (; i + 4 * Vec::width <= n; i += 4 * Vec::width)
#pragma GCC unroll 4
        for (int c = 0; c < 4; ++c) chains[c] = term(i + c * Vec::width, Vec::width, chains[c]);
    for (int c = 0; i < n; i += Vec::width, ++c) chains[c] = term(i, n - i < Vec::width ? n - i : Vec::width, chains[c]);
    return ((chains[0] + chains[1]) + (chains[2] + chains[3])).sum();
}

template <class T> float reciprocal_rms(const T* x, std::int64_t n, float epsilon) {
    const float squares = sum_row(n, [x](std::int64_t i, std::int64_t count, Vec sum) {
        const Vec value = load_part(x + i, count);
        return fma(value, value, sum);
    });
    return (Vec::broadcast(1.0f) / sqrt(Vec::broadcast(squares / static_cast<float>(n) + epsilon))).largest();
}

template <class T> void rms_norm(T* y, const T* x, const float* weight, const T* residual, std::int64_t n, float epsilon) {
    const Vec scale = Vec::broadcast(reciprocal_rms(x, n, epsilon));
    for_vectors(n, [=](std::int64_t i, std::int64_t count) {
        Vec value = load_part(x + i, count) * scale * load_part(weight + i, count);
        if (residual != nullptr) value = value + load_part(residual + i, count);
        store_part(value, y + i, count);
    });
}

// With h = x r, r = 1 / rms(x), and g = d_y * weight:  d_x = r (g - h mean(g h)).
template <class T> void rms_norm_backward(T* d_x, const T* d_y, const T* x, const float* weight, const T* d_residual, std::int64_t n, float epsilon) {
    const float r = reciprocal_rms(x, n, epsilon);
    const float dot = sum_row(n, [=](std::int64_t i, std::int64_t count, Vec sum) {
        return fma(load_part(d_y + i, count) * load_part(weight + i, count), load_part(x + i, count), sum);
    });
    const Vec scale = Vec::broadcast(r), along = Vec::broadcast(-r * r * r * dot / static_cast<float>(n));
    for_vectors(n, [=](std::int64_t i, std::int64_t count) {
        const Vec g = load_part(d_y + i, count) * load_part(weight + i, count);
        const Vec bypass = d_residual == nullptr ? Vec::zero() : load_part(d_residual + i, count);
        store_part(fma(g, scale, load_part(x + i, count) * along) + bypass, d_x + i, count);
    });
}

template <class T> void rope(T* x, const float* cosine, const float* sine, std::int64_t heads, std::int64_t d, std::int64_t pairs, float sign) {
    const Vec direction = Vec::broadcast(sign);
    for (std::int64_t h = 0; h < heads; ++h, x += d) {
        for_vectors(pairs, [=](std::int64_t i, std::int64_t count) {
            const Vec c = load_part(cosine + i, count), s = load_part(sine + i, count) * direction;
            const Vec first = load_part(x + i, count), second = load_part(x + pairs + i, count);
            store_part(first * c - second * s, x + i, count);
            store_part(second * c + first * s, x + pairs + i, count);
        });
    }
}

template <class T> void swiglu(T* activated, const T* gate, const T* up, std::int64_t n) {
    for_vectors(n, [=](std::int64_t i, std::int64_t count) {
        const Vec g = load_part(gate + i, count);
        store_part(g * sigmoid(g) * load_part(up + i, count), activated + i, count);
    });
}

// silu'(g) = s + g s (1 - s) with s = sigmoid(g).
template <class T> void swiglu_backward(T* d_gate, T* d_up, const T* d_activated, const T* gate, const T* up, std::int64_t n) {
    for_vectors(n, [=](std::int64_t i, std::int64_t count) {
        const Vec g = load_part(gate + i, count), u = load_part(up + i, count), d = load_part(d_activated + i, count);
        const Vec s = sigmoid(g), silu = g * s;
        const Vec slope = fma(silu, Vec::broadcast(1.0f) - s, s);
        store_part(d * u * slope, d_gate + i, count);
        store_part(d * silu, d_up + i, count);
    });
}

// gelu(g) = g/2 (1 + tanh(a)), a = sqrt(2/pi) (g + 0.044715 g^3); slope gelu'(g) = (1 + t)/2 + g/2 (1 - t^2) a'.    [Hendrycks & Gimpel 2016]
struct Gelu {
    Vec value, slope;
    explicit Gelu(Vec g) {
        const Vec root = Vec::broadcast(0.7978845608f), cubic = Vec::broadcast(0.044715f), one = Vec::broadcast(1.0f), half = Vec::broadcast(0.5f);
        const Vec square = g * g, t = tanh(root * fma(cubic * square, g, g));
        value = half * g * (one + t);
        const Vec along = root * fma(Vec::broadcast(3.0f) * cubic, square, one);
        slope = half * (one + t) + half * g * (one - t * t) * along;
    }
};

template <class T> void geglu(T* activated, const T* gate, const T* up, std::int64_t n) {
    for_vectors(n, [=](std::int64_t i, std::int64_t count) {
        store_part(Gelu(load_part(gate + i, count)).value * load_part(up + i, count), activated + i, count);
    });
}

template <class T> void geglu_backward(T* d_gate, T* d_up, const T* d_activated, const T* gate, const T* up, std::int64_t n) {
    for_vectors(n, [=](std::int64_t i, std::int64_t count) {
        const Gelu gelu(load_part(gate + i, count));
        const Vec u = load_part(up + i, count), d = load_part(d_activated + i, count);
        store_part(d * u * gelu.slope, d_gate + i, count);
        store_part(d * gelu.value, d_up + i, count);
    });
}

template <class T> void scale(T* x, std::int64_t n, float factor) {
    const Vec by = Vec::broadcast(factor);
    for_vectors(n, [=](std::int64_t i, std::int64_t count) { store_part(load_part(x + i, count) * by, x + i, count); });
}

template <class T> void add_residual(T* y, const float* x, const T* residual, std::int64_t n) {
    for_vectors(n, [=](std::int64_t i, std::int64_t count) { store_part(load_part(x + i, count) + load_part(residual + i, count), y + i, count); });
}

template <class To, class From> void convert(To* y, const From* x, std::int64_t n) {
    for_vectors(n, [=](std::int64_t i, std::int64_t count) { store_part(load_part(x + i, count), y + i, count); });
}

template <class T> constexpr RowKernels<T> make_row_kernels() {
    return {&rms_norm<T>, &rms_norm_backward<T>, &rope<T>,           &swiglu<T>,        &swiglu_backward<T>, &geglu<T>, &geglu_backward<T>,
            &scale<T>,    &add_residual<T>,      &convert<T, float>, &convert<float, T>};
}

}  // namespace
}  // namespace temper::cpu
