// Functions on Vec, whichever vector_*.h was included before. A lane's result depends on that lane alone, so a row's tail has the bits of its body.
#pragma once
#include <cstdint>

namespace temper::cpu {
namespace {

// e^r - 1 = r + r^2 q(r) for |r| <= ln(2)/2.
inline Vec exp_reduced(Vec r) {
    Vec q = Vec::broadcast(0x1.6a23dp-10f);
    q = fma(q, r, Vec::broadcast(0x1.123a2p-7f));
    q = fma(q, r, Vec::broadcast(0x1.5558f2p-5f));
    q = fma(q, r, Vec::broadcast(0x1.555492p-3f));
    q = fma(q, r, Vec::broadcast(0x1.fffffcp-2f));
    return fma(r * r, q, r);
}

// e^x within 1 ulp: x = n ln 2 + r, |r| <= ln(2)/2, e^r = 1 + r + r^2 q(r) with q the minimax polynomial of degree 4 (relative error 3.1e-9).
// exp(0) is 1 exactly, exp(-infinity) 0, overflow gives infinity, NaN stays.
inline Vec exp_not_above(Vec x) {  // the same for x that does not overflow
    x = max(Vec::broadcast(-104.0f), x);
    // Adding 1.5 * 2^23 leaves a float no bits behind the point: rounds to nearest.
    const Vec shift = Vec::broadcast(12582912.0f);
    const Vec n = fma(x, Vec::broadcast(0x1.715476p+0f), shift) - shift;
    // ln 2 in two parts; n times the upper part is exact.
    const Vec r = fma(n, Vec::broadcast(0x1.bd0106p-13f), fma(n, Vec::broadcast(-0x1.63p-1f), x));
    return scale_by_power(exp_reduced(r) + Vec::broadcast(1.0f), n);
}

inline Vec exp(Vec x) { return exp_not_above(min(Vec::broadcast(89.0f), x)); }

// tanh x = m / (m + 2) with m = e^2x - 1 = 2^n (e^r - 1) + (2^n - 1), reduced as in exp: no digits are lost near 0, where n is 0. Within 3 ulp.
inline Vec tanh(Vec x) {
    const Vec y = max(Vec::broadcast(-9.25f), min(Vec::broadcast(9.25f), x)), twice = y + y;
    const Vec shift = Vec::broadcast(12582912.0f), one = Vec::broadcast(1.0f);
    const Vec n = fma(twice, Vec::broadcast(0x1.715476p+0f), shift) - shift;
    const Vec r = fma(n, Vec::broadcast(0x1.bd0106p-13f), fma(n, Vec::broadcast(-0x1.63p-1f), twice));
    const Vec m = scale_by_power(exp_reduced(r), n) + (scale_by_power(one, n) - one);
    return m / (m + Vec::broadcast(2.0f));
}

inline Vec sigmoid(Vec x) {
    const Vec one = Vec::broadcast(1.0f);
    return one / (one + exp(Vec::zero() - x));
}

// Calls function(index, count) over [0, n) in steps of a register; count is the width but for the last step.
template <class Function> void for_vectors(std::int64_t n, const Function& function) {
    std::int64_t i = 0;
    for (; i + Vec::width <= n; i += Vec::width) function(i, static_cast<std::int64_t>(Vec::width));
    if (i < n) function(i, n - i);
}

template <class T> Vec load_part(const T* p, std::int64_t count) { return count == Vec::width ? Vec::load(p) : Vec::load(p, count); }
template <class T> void store_part(Vec x, T* p, std::int64_t count) { count == Vec::width ? x.store(p) : x.store(p, count); }

}  // namespace
}  // namespace temper::cpu
