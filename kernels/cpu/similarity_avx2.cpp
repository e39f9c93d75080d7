// int8 is widened to int16 and multiplied in pairs into int32: nothing saturates, whatever the signs.
#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cpu/similarity.h"

namespace temper::similarity {
namespace {

__m256i widened(const std::int8_t* codes) { return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes))); }
__m256i loaded(const std::int16_t* codes) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes)); }

std::int32_t sum_of(__m256i lanes) {
    const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
    const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}

void products(std::int32_t* out, const std::int8_t* rows, std::int64_t count, std::int64_t padded, const std::int16_t* query) {
    for (std::int64_t n = 0; n < count; ++n) {
        const std::int8_t* row = rows + n * padded;
        _mm_prefetch(reinterpret_cast<const char*>(row + 4 * padded), _MM_HINT_T0);
        __m256i even = _mm256_setzero_si256(), odd = even;
        for (std::int64_t i = 0; i < padded; i += 32) {
            even = _mm256_add_epi32(even, _mm256_madd_epi16(widened(row + i), loaded(query + i)));
            odd = _mm256_add_epi32(odd, _mm256_madd_epi16(widened(row + i + 16), loaded(query + i + 16)));
        }
        out[n] = sum_of(_mm256_add_epi32(even, odd));
    }
}

std::int32_t product(const std::int8_t* a, const std::int8_t* b, std::int64_t padded) {
    __m256i even = _mm256_setzero_si256(), odd = even;
    for (std::int64_t i = 0; i < padded; i += 32) {
        even = _mm256_add_epi32(even, _mm256_madd_epi16(widened(a + i), widened(b + i)));
        odd = _mm256_add_epi32(odd, _mm256_madd_epi16(widened(a + i + 16), widened(b + i + 16)));
    }
    return sum_of(_mm256_add_epi32(even, odd));
}

// Eight numbers from place i on, zeros behind the last.
__m256 eight(const float* x, std::int64_t i, std::int64_t dimensions) {
    if (i + 8 <= dimensions) return _mm256_loadu_ps(x + i);
    float rest[8] = {};
    std::memcpy(rest, x + i, static_cast<std::size_t>(dimensions - i) * sizeof(float));
    return _mm256_loadu_ps(rest);
}

double sum_of(__m256 lanes) {
    float numbers[8];
    _mm256_storeu_ps(numbers, lanes);
    double sum = 0;
    for (const float number : numbers) sum += static_cast<double>(number);
    return sum;
}

}  // namespace

// Sums in float32: of 8,192 squares, 1,024 a lane, wrong by less than a part in 10^4. What is left of a number is wrong by 2^-24 of what is kept.
Code encode_avx2(std::int8_t* codes, const float* x, std::int64_t dimensions) {
    const __m256 sign = _mm256_set1_ps(-0.0f), limit = _mm256_set1_ps(127.0f), half = _mm256_set1_ps(0.5f);
    __m256 most = _mm256_setzero_ps();
    for (std::int64_t i = 0; i < dimensions; i += 8) most = _mm256_max_ps(most, _mm256_andnot_ps(sign, eight(x, i, dimensions)));
    float lanes[8];
    _mm256_storeu_ps(lanes, most);
    const float scale = *std::max_element(lanes, lanes + 8) / 127.0f, inverse = scale > 0 && std::isfinite(1 / scale) ? 1 / scale : 0;
    const __m256 scales = _mm256_set1_ps(scale), inverses = _mm256_set1_ps(inverse);
    __m256 lost = _mm256_setzero_ps(), reach = lost;
    const std::int64_t width = padded(dimensions);
    for (std::int64_t i = 0; i < dimensions; i += 8) {
        const __m256 numbers = eight(x, i, dimensions);
        const __m256 place = _mm256_max_ps(_mm256_min_ps(_mm256_mul_ps(numbers, inverses), limit), _mm256_sub_ps(_mm256_setzero_ps(), limit));
        const __m256i whole = _mm256_cvttps_epi32(_mm256_add_ps(place, _mm256_or_ps(half, _mm256_and_ps(sign, place))));
        const __m256 kept = _mm256_mul_ps(_mm256_cvtepi32_ps(whole), scales), left = _mm256_sub_ps(numbers, kept);
        lost = _mm256_add_ps(lost, _mm256_mul_ps(left, left));
        reach = _mm256_add_ps(reach, _mm256_mul_ps(kept, kept));
        const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
        _mm_storel_epi64(reinterpret_cast<__m128i*>(codes + i), _mm_packs_epi16(words, words));
    }
    const std::int64_t written = (dimensions + 7) / 8 * 8;
    std::memset(codes + written, 0, static_cast<std::size_t>(width - written));
    const double reached = std::sqrt(sum_of(reach)) * 1.0001;
    return {scale, static_cast<float>((std::sqrt(sum_of(lost)) + 2e-7 * reached) * 1.0001), static_cast<float>(reached)};
}

extern const Kernels avx2_kernels{encode_avx2, products, product};

}  // namespace temper::similarity
