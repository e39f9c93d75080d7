// Products of bfloat16 pairs for attention (AVX512_BF16): an operand number is a bfloat16, two of the inner dimension lie in one 32-bit lane,
// sums are float. Probabilities and their gradients are rounded to bfloat16 once.
#pragma once
#include <cstring>

#include "kernels/cpu/vector_math.h"

namespace temper::cpu {
namespace {

struct PairOperand {
    using Number = std::uint16_t;
    static constexpr int step = 2;
    static constexpr int depth = 2, row_unit = 1, rows = 6, run = 12;
    static constexpr bool tiled = false;
    struct Session {};

    static Vec broadcast(const std::uint16_t* a) {
        std::int32_t pair;
        std::memcpy(&pair, a, sizeof pair);
        return {_mm512_castsi512_ps(_mm512_set1_epi32(pair))};
    }
    static Vec multiply_add(Vec a, Vec b, Vec sum) {
        return {_mm512_dpbf16_ps(sum.v, reinterpret_cast<__m512bh>(a.v), reinterpret_cast<__m512bh>(b.v))};
    }
    static void store(Vec x, std::uint16_t* p) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x.v)));
    }
    static Vec along(const std::uint16_t* row, std::int64_t count) {
        const __mmask32 mask = count >= 32 ? ~static_cast<__mmask32>(0) : (static_cast<__mmask32>(1) << count) - 1;
        return {_mm512_castsi512_ps(_mm512_maskz_loadu_epi16(mask, row))};
    }
    static Vec across(const std::uint16_t* const* rows, std::int64_t column, std::int64_t count) {
        const __mmask16 mask = count >= 16 ? static_cast<__mmask16>(0xffff) : static_cast<__mmask16>((1u << count) - 1u);
        const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, rows[0] + column));
        const __m512i high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, rows[1] + column));
        return {_mm512_castsi512_ps(_mm512_or_si512(low, _mm512_slli_epi32(high, 16)))};
    }
};

}  // namespace
}  // namespace temper::cpu
