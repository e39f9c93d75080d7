// Sixteen floats in a register (AVX-512 F, BW, DQ, VL). Included only by *_avx512.cpp; the members mean what vector_scalar.h says.
#pragma once
// g++ 12 takes the undefined operands inside its own intrinsics for uninitialized variables (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <cstdint>

#include <immintrin.h>

namespace temper::cpu {
namespace {

struct Vec {
    static constexpr int width = 16;
    static constexpr int registers = 32;
    __m512 v;

    static Vec broadcast(float x) { return {_mm512_set1_ps(x)}; }
    static Vec zero() { return {_mm512_setzero_ps()}; }
    static Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
    static Vec load(const std::uint16_t* p) { return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
    // The first count floats, 0 < count < width; the other lanes are zero and their memory is not touched.
    static Vec load(const float* p, std::int64_t count) { return {_mm512_maskz_loadu_ps(below(count), p)}; }
    static Vec load(const std::uint16_t* p, std::int64_t count) { return widen(_mm256_maskz_loadu_epi16(below(count), p)); }
    void store(float* p) const { _mm512_storeu_ps(p, v); }
    void store(std::uint16_t* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow()); }
    void store(float* p, std::int64_t count) const { _mm512_mask_storeu_ps(p, below(count), v); }
    void store(std::uint16_t* p, std::int64_t count) const { _mm256_mask_storeu_epi16(p, below(count), narrow()); }

    friend Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
    friend Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
    friend Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
    friend Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
    friend Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
    friend Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
    friend Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
    friend Vec sqrt(Vec a) { return {_mm512_sqrt_ps(a.v)}; }

    friend Vec scale_by_power(Vec x, Vec n) { return {_mm512_scalef_ps(x.v, n.v)}; }
    static Vec blend_below(std::int64_t count, Vec a, Vec b) { return {_mm512_mask_blend_ps(below(count), b.v, a.v)}; }
    // 16 x 16, in place: pairs, quads, then the four 128-bit lanes twice.
    static void transpose(Vec* r) {
        __m512 pairs[16], quads[16];
#pragma GCC unroll 8
        for (int i = 0; i < 16; i += 2) {
            pairs[i] = _mm512_unpacklo_ps(r[i].v, r[i + 1].v);
            pairs[i + 1] = _mm512_unpackhi_ps(r[i].v, r[i + 1].v);
        }
#pragma GCC unroll 8
        for (int i = 0; i < 16; i += 4) {
            quads[i] = _mm512_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
            quads[i + 1] = _mm512_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
            quads[i + 2] = _mm512_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
            quads[i + 3] = _mm512_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
        }
        // quads[4 j + c] holds columns c, c + 4, c + 8, c + 12 of rows 4 j to 4 j + 3.
#pragma GCC unroll 8
        for (int c = 0; c < 4; ++c) {
            const __m512 low01 = _mm512_shuffle_f32x4(quads[c], quads[c + 4], 0x88), low23 = _mm512_shuffle_f32x4(quads[c + 8], quads[c + 12], 0x88);
            const __m512 high01 = _mm512_shuffle_f32x4(quads[c], quads[c + 4], 0xdd),
                         high23 = _mm512_shuffle_f32x4(quads[c + 8], quads[c + 12], 0xdd);
            r[c].v = _mm512_shuffle_f32x4(low01, low23, 0x88);
            r[c + 8].v = _mm512_shuffle_f32x4(low01, low23, 0xdd);
            r[c + 4].v = _mm512_shuffle_f32x4(high01, high23, 0x88);
            r[c + 12].v = _mm512_shuffle_f32x4(high01, high23, 0xdd);
        }
    }
    float sum() const {
        const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
        const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
    }
    float largest() const {
        const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
        const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
        const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
    }

  private:
    static __mmask16 below(std::int64_t count) {
        return count >= width ? static_cast<__mmask16>(0xffff) : count <= 0 ? static_cast<__mmask16>(0) : static_cast<__mmask16>((1u << count) - 1u);
    }
    static Vec widen(__m256i half) { return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16))}; }
    // To nearest even, NaN kept quiet. VCVTNEPS2BF16 would flush denormals, and plain AVX-512 does not have it.
    __m256i narrow() const {
        const __m512i bits = _mm512_castps_si512(v), high = _mm512_srli_epi32(bits, 16);
        const __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
        const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
        const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
        return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(rounded, nan, high, _mm512_set1_epi32(0x40)));
    }
};

}  // namespace
}  // namespace temper::cpu
