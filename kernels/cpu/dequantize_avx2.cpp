#include <immintrin.h>

#include "kernels/cpu/dequantize.h"

namespace temper::cpu {
namespace {

// To nearest even; NaN stays quiet.
inline __m256i rounded(__m256 values) {
    const __m256i bits = _mm256_castps_si256(values), upper = _mm256_srli_epi32(bits, 16);
    const __m256i lowest = _mm256_and_si256(upper, _mm256_set1_epi32(1));
    const __m256i number = _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(lowest, _mm256_set1_epi32(0x7fff))), 16);
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(values, values, _CMP_UNORD_Q));
    return _mm256_blendv_epi8(number, _mm256_or_si256(upper, _mm256_set1_epi32(0x40)), nan);
}

// 16 numbers of 16 bits, in their order.
inline __m256i narrowed(__m256 first, __m256 second) { return _mm256_permute4x64_epi64(_mm256_packus_epi32(rounded(first), rounded(second)), 0xd8); }

// The exponent of a float is 120 above that of an 8-bit one; numbers below the least normal one are integers times 2^-9. Magnitude 127 is NaN.
inline __m256 from_f8(const std::uint8_t* data) {
    const __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(data)));
    const __m256i magnitude = _mm256_and_si256(bytes, _mm256_set1_epi32(127));
    const __m256i subnormal = _mm256_castps_si256(_mm256_mul_ps(_mm256_cvtepi32_ps(magnitude), _mm256_set1_ps(0x1p-9f)));
    const __m256i normal = _mm256_add_epi32(_mm256_slli_epi32(magnitude, 20), _mm256_set1_epi32(120 << 23));
    __m256i bits = _mm256_blendv_epi8(subnormal, normal, _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(7)));
    bits = _mm256_blendv_epi8(bits, _mm256_set1_epi32(0x7fc00000), _mm256_cmpeq_epi32(magnitude, _mm256_set1_epi32(127)));
    return _mm256_castsi256_ps(_mm256_or_si256(bits, _mm256_slli_epi32(_mm256_and_si256(bytes, _mm256_set1_epi32(128)), 24)));
}

}  // namespace

// The block's 16 values, rounded, are two registers of bytes, lower and upper ones, which nibbles pick from.
void expand_nibbles_avx2(bf16* to, const std::uint8_t* data, std::int64_t first, std::int64_t count, const float* map, float absmax) {
    constexpr std::int64_t step = 32;
    if (first % 2 != 0 || count % step != 0) return expand_nibbles_scalar(to, data, first, count, map, absmax);
    const __m256 factor = _mm256_set1_ps(absmax);
    const __m256i values = narrowed(_mm256_mul_ps(_mm256_loadu_ps(map), factor), _mm256_mul_ps(_mm256_loadu_ps(map + 8), factor));
    const __m256i byte_mask = _mm256_set1_epi16(255);
    const __m128i lower = _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packus_epi16(_mm256_and_si256(values, byte_mask), values), 0x08));
    const __m256i shifted = _mm256_srli_epi16(values, 8);
    const __m128i upper = _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packus_epi16(shifted, shifted), 0x08));
    const __m128i nibble = _mm_set1_epi8(15);
    for (std::int64_t i = 0; i < count; i += step) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + (first + i) / 2));
        const __m128i even = _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble), odd = _mm_and_si128(bytes, nibble);
        __m128i* const target = reinterpret_cast<__m128i*>(to + i);
        const __m128i halves[] = {_mm_unpacklo_epi8(even, odd), _mm_unpackhi_epi8(even, odd)};
        for (int half = 0; half < 2; ++half) {
            const __m128i low = _mm_shuffle_epi8(lower, halves[half]), high = _mm_shuffle_epi8(upper, halves[half]);
            _mm_storeu_si128(target + 2 * half, _mm_unpacklo_epi8(low, high));
            _mm_storeu_si128(target + 2 * half + 1, _mm_unpackhi_epi8(low, high));
        }
    }
}

void expand_f8_avx2(bf16* to, const std::uint8_t* data, std::int64_t count, float scale) {
    const __m256 factor = _mm256_set1_ps(scale);
    std::int64_t i = 0;
    for (; i + 16 <= count; i += 16)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i),
                            narrowed(_mm256_mul_ps(from_f8(data + i), factor), _mm256_mul_ps(from_f8(data + i + 8), factor)));
    expand_f8_scalar(to + i, data + i, count - i, scale);
}

}  // namespace temper::cpu
