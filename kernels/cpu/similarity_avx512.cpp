// As similarity_avx2.cpp, twice as wide.
#include <immintrin.h>

#include "kernels/cpu/similarity.h"

namespace temper::similarity {
namespace {

__m512i widened(const std::int8_t* codes) { return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes))); }
// By memory: g++ 12 warns of its own reduction.
std::int32_t sum_of(__m512i lanes) {
    alignas(64) std::int32_t numbers[16];
    _mm512_store_si512(numbers, lanes);
    std::int32_t sum = 0;
    for (const std::int32_t number : numbers) sum += number;
    return sum;
}
__m512i loaded(const std::int16_t* codes) { return _mm512_loadu_si512(codes); }

void products(std::int32_t* out, const std::int8_t* rows, std::int64_t count, std::int64_t padded, const std::int16_t* query) {
    for (std::int64_t n = 0; n < count; ++n) {
        const std::int8_t* row = rows + n * padded;
        __m512i even = _mm512_setzero_si512(), odd = even;
        for (std::int64_t i = 0; i < padded; i += 64) {
            even = _mm512_add_epi32(even, _mm512_madd_epi16(widened(row + i), loaded(query + i)));
            odd = _mm512_add_epi32(odd, _mm512_madd_epi16(widened(row + i + 32), loaded(query + i + 32)));
        }
        out[n] = sum_of(_mm512_add_epi32(even, odd));
    }
}

std::int32_t product(const std::int8_t* a, const std::int8_t* b, std::int64_t padded) {
    __m512i even = _mm512_setzero_si512(), odd = even;
    for (std::int64_t i = 0; i < padded; i += 64) {
        even = _mm512_add_epi32(even, _mm512_madd_epi16(widened(a + i), widened(b + i)));
        odd = _mm512_add_epi32(odd, _mm512_madd_epi16(widened(a + i + 32), widened(b + i + 32)));
    }
    return sum_of(_mm512_add_epi32(even, odd));
}

}  // namespace

extern const Kernels avx512_kernels{encode_avx2, products, product};  // rows are encoded once

}  // namespace temper::similarity
