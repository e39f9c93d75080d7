// A number that carries its derivatives by two variables, here the policy's log-probabilities of a pair: a loss is written as its paper
// writes it, and its gradient follows by the chain rule. NaN stays NaN.
#pragma once
#include <cmath>

namespace temper {

struct Dual {
    Dual() = default;
    Dual(double constant) : value(constant) {}
    Dual(double v, double by_chosen, double by_rejected) : value(v), d_chosen(by_chosen), d_rejected(by_rejected) {}

    double value = 0.0, d_chosen = 0.0, d_rejected = 0.0;
};

// f(x) where f has `value` and `slope` at x.
inline Dual chain(const Dual& x, double value, double slope) { return {value, slope * x.d_chosen, slope * x.d_rejected}; }

inline Dual operator+(const Dual& a, const Dual& b) { return {a.value + b.value, a.d_chosen + b.d_chosen, a.d_rejected + b.d_rejected}; }
inline Dual operator-(const Dual& a, const Dual& b) { return {a.value - b.value, a.d_chosen - b.d_chosen, a.d_rejected - b.d_rejected}; }
inline Dual operator-(const Dual& a) { return {-a.value, -a.d_chosen, -a.d_rejected}; }
inline Dual operator*(const Dual& a, const Dual& b) {
    return {a.value * b.value, a.d_chosen * b.value + a.value * b.d_chosen, a.d_rejected * b.value + a.value * b.d_rejected};
}
inline Dual operator*(double a, const Dual& b) { return chain(b, a * b.value, a); }
inline Dual operator/(const Dual& a, double b) { return {a.value / b, a.d_chosen / b, a.d_rejected / b}; }

inline double sigmoid(double x) { return x < 0 ? std::exp(x) / (1.0 + std::exp(x)) : 1.0 / (1.0 + std::exp(-x)); }
inline double log_sigmoid(double x) { return x < 0 ? x - std::log1p(std::exp(x)) : -std::log1p(std::exp(-x)); }

inline Dual square(const Dual& x) { return chain(x, x.value * x.value, 2.0 * x.value); }
inline Dual exp(const Dual& x) { return chain(x, std::exp(x.value), std::exp(x.value)); }
inline Dual sigmoid(const Dual& x) { return chain(x, sigmoid(x.value), sigmoid(x.value) * sigmoid(-x.value)); }
inline Dual log_sigmoid(const Dual& x) { return chain(x, log_sigmoid(x.value), sigmoid(-x.value)); }
// max(x, 0), with slope 0 at 0.
inline Dual relu(const Dual& x) { return x.value <= 0 ? Dual(0.0) : x; }

}  // namespace temper
