// One float as a "vector" of width 1: the portable twin of vector_avx2.h and vector_avx512.h, for Isa::scalar and as the readable statement of what they do.
// Everything here lives in an unnamed namespace, so that code compiled for one instruction set is never linked into another.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

namespace temper::cpu {
namespace {

struct Vec {
    static constexpr int width = 1;
    static constexpr int registers = 16;
    float v;

    static Vec broadcast(float x) { return {x}; }
    static Vec zero() { return {0.0f}; }
    static Vec load(const float* p) { return {*p}; }
    static Vec load(const std::uint16_t* p) {
        const std::uint32_t bits = static_cast<std::uint32_t>(*p) << 16;
        float x;
        std::memcpy(&x, &bits, sizeof x);
        return {x};
    }
    template <class T> static Vec load(const T* p, std::int64_t) { return load(p); }
    void store(float* p) const { *p = v; }
    void store(std::uint16_t* p) const {
        std::uint32_t bits;
        std::memcpy(&bits, &v, sizeof bits);
        const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
        *p = static_cast<std::uint16_t>(nan ? (bits >> 16) | 0x40u : (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
    }
    template <class T> void store(T* p, std::int64_t) const { store(p); }

    friend Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
    friend Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
    friend Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
    friend Vec operator/(Vec a, Vec b) { return {a.v / b.v}; }
    // Not fused: baseline processors have no such instruction.
    friend Vec fma(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }
    // A NaN in b stays, as with the vector instructions.
    friend Vec max(Vec a, Vec b) { return a.v > b.v ? a : b; }
    friend Vec min(Vec a, Vec b) { return a.v < b.v ? a : b; }
    friend Vec sqrt(Vec a) { return {std::sqrt(a.v)}; }

    // x * 2^n for whole n; overflows to infinity and underflows gradually.
    friend Vec scale_by_power(Vec x, Vec n) {
        const int whole = static_cast<int>(n.v), half = whole >> 1;
        return {x.v * power(half) * power(whole - half)};
    }
    // Lanes below count from a, the others from b.
    static Vec blend_below(std::int64_t count, Vec a, Vec b) { return count > 0 ? a : b; }
    // Transposes width x width numbers.
    static void transpose(Vec*) {}
    float sum() const { return v; }
    float largest() const { return v; }

  private:
    static float power(int n) {
        const std::uint32_t bits = static_cast<std::uint32_t>(n + 127) << 23;
        float x;
        std::memcpy(&x, &bits, sizeof x);
        return x;
    }
};

}  // namespace
}  // namespace temper::cpu
