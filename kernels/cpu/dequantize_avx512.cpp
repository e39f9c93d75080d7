#include "kernels/cpu/bf16_avx512.h"
#include "kernels/cpu/dequantize.h"

namespace temper::cpu {

// The block's 16 values are one register of floats, and rounded half a register of bfloat16, which nibbles pick from.
void expand_nibbles_avx512(bf16* to, const std::uint8_t* data, std::int64_t first, std::int64_t count, const float* map, float absmax) {
    constexpr std::int64_t step = 32;
    if (first % 2 != 0 || count % step != 0) return expand_nibbles_scalar(to, data, first, count, map, absmax);
    const __m512i values = _mm512_castsi256_si512(WidenedProduct::round(_mm512_mul_ps(_mm512_loadu_ps(map), _mm512_set1_ps(absmax))));
    const __m512i low = _mm512_set1_epi32(15);
    for (std::int64_t i = 0; i < count; i += step) {
        const __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(data + (first + i) / 2)));
        const __m512i nibbles = _mm512_or_si512(_mm512_srli_epi32(bytes, 4), _mm512_slli_epi32(_mm512_and_si512(bytes, low), 16));
        _mm512_storeu_si512(to + i, _mm512_permutexvar_epi16(nibbles, values));
    }
}

// The exponent of a float is 120 above that of an 8-bit one; numbers below the least normal one are integers times 2^-9. Magnitude 127 is NaN.
void expand_f8_avx512(bf16* to, const std::uint8_t* data, std::int64_t count, float scale) {
    const __m512 factor = _mm512_set1_ps(scale);
    std::int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(data + i)));
        const __m512i magnitude = _mm512_and_si512(bytes, _mm512_set1_epi32(127));
        __m512i bits = _mm512_castps_si512(_mm512_mul_ps(_mm512_cvtepi32_ps(magnitude), _mm512_set1_ps(0x1p-9f)));
        const __mmask16 normal = _mm512_cmpge_epi32_mask(magnitude, _mm512_set1_epi32(8));
        bits = _mm512_mask_add_epi32(bits, normal, _mm512_slli_epi32(magnitude, 20), _mm512_set1_epi32(120 << 23));
        bits = _mm512_mask_mov_epi32(bits, _mm512_cmpeq_epi32_mask(magnitude, _mm512_set1_epi32(127)), _mm512_set1_epi32(0x7fc00000));
        bits = _mm512_or_si512(bits, _mm512_slli_epi32(_mm512_and_si512(bytes, _mm512_set1_epi32(128)), 24));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), WidenedProduct::round(_mm512_mul_ps(_mm512_castsi512_ps(bits), factor)));
    }
    expand_f8_scalar(to + i, data + i, count - i, scale);
}

}  // namespace temper::cpu
