// int8 is widened to int16 and multiplied in pairs into int32: nothing saturates, whatever the signs.
#include <immintrin.h>

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

}  // namespace

extern const Kernels avx2_kernels{products, product};

}  // namespace temper::similarity
