// Eight floats in a register (AVX2 + FMA). Included only by *_avx2.cpp; the members mean what vector_scalar.h says.
#pragma once
#include <cstdint>
#include <cstring>

#include <immintrin.h>

namespace temper::cpu {
namespace {

struct Vec {
    static constexpr int width = 8;
    static constexpr int registers = 16;
    __m256 v;

    static Vec broadcast(float x) { return {_mm256_set1_ps(x)}; }
    static Vec zero() { return {_mm256_setzero_ps()}; }
    static Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
    static Vec load(const std::uint16_t* p) { return widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
    // The first count floats, 0 < count < width; the other lanes are zero and their memory is not touched.
    static Vec load(const float* p, std::int64_t count) { return {_mm256_maskload_ps(p, below(count))}; }
    static Vec load(const std::uint16_t* p, std::int64_t count) {
        std::uint16_t part[8] = {};
        std::memcpy(part, p, static_cast<std::size_t>(count) * sizeof *p);
        return load(part);
    }
    void store(float* p) const { _mm256_storeu_ps(p, v); }
    void store(std::uint16_t* p) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), narrow()); }
    void store(float* p, std::int64_t count) const { _mm256_maskstore_ps(p, below(count), v); }
    void store(std::uint16_t* p, std::int64_t count) const {
        std::uint16_t part[8];
        store(part);
        std::memcpy(p, part, static_cast<std::size_t>(count) * sizeof *p);
    }

    friend Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
    friend Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
    friend Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
    friend Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
    friend Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
    friend Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
    friend Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
    friend Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.v)}; }

    friend Vec scale_by_power(Vec x, Vec n) {
        const __m256i whole = _mm256_cvtps_epi32(n.v), half = _mm256_srai_epi32(whole, 1);
        return {_mm256_mul_ps(_mm256_mul_ps(x.v, power(half)), power(_mm256_sub_epi32(whole, half)))};
    }
    static Vec blend_below(std::int64_t count, Vec a, Vec b) { return {_mm256_blendv_ps(b.v, a.v, _mm256_castsi256_ps(below(count)))}; }
    // 8 x 8, in place: pairs, then quads, then halves.
    static void transpose(Vec* r) {
        __m256 pairs[8], quads[8];
#pragma GCC unroll 4
        for (int i = 0; i < 8; i += 2) {
            pairs[i] = _mm256_unpacklo_ps(r[i].v, r[i + 1].v);
            pairs[i + 1] = _mm256_unpackhi_ps(r[i].v, r[i + 1].v);
        }
#pragma GCC unroll 4
        for (int i = 0; i < 8; i += 4) {
            quads[i] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
            quads[i + 1] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
            quads[i + 2] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
            quads[i + 3] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
        }
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            r[i].v = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x20);
            r[i + 4].v = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x31);
        }
    }
    float sum() const {
        const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
    }
    float largest() const {
        const __m128 four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
        const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
    }

  private:
    static __m256i below(std::int64_t count) {
        const int lanes = count > width ? width : static_cast<int>(count);
        return _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    }
    static __m256 power(__m256i n) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23)); }
    static Vec widen(__m128i half) { return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16))}; }
    // To nearest even, NaN kept quiet.
    __m128i narrow() const {
        const __m256i bits = _mm256_castps_si256(v), high = _mm256_srli_epi32(bits, 16);
        const __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
        const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
        const __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
        const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
        const __m256i kept = _mm256_blendv_epi8(rounded, quiet, nan);
        return _mm_packus_epi32(_mm256_castsi256_si128(kept), _mm256_extracti128_si256(kept, 1));
    }
};

}  // namespace
}  // namespace temper::cpu
