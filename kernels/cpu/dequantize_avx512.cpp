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

}  // namespace temper::cpu
