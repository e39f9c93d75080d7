// Products of bfloat16 pairs at 512 bits, with and without AVX512_BF16. Only for files compiled for it: everything is local to the file.
#pragma once
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 reports its own _mm512_undefined (GCC bug 105593)
#pragma GCC diagnostic ignored "-Wuninitialized"        // the same
#include <cstring>

#include <immintrin.h>

#include "kernels/tensor.h"

namespace temper::cpu {
namespace {

// Operands hold two consecutive depths of 16 columns, or of one row spread over 16 lanes.
struct PairProduct {
    using Operand = __m512i;
    static Operand operand(__m512i pairs) { return pairs; }
    static __m512 add(__m512 sum, Operand a, Operand b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }
    static __m256i round(__m512 values) { return (__m256i)_mm512_cvtneps_pbh(values); }
    static __m512i round(__m512 first, __m512 second) { return (__m512i)_mm512_cvtne2ps_pbh(second, first); }
};

struct WidenedProduct {
    struct Operand {
        __m512 even, odd;
    };
    static Operand operand(__m512i pairs) {
        return {_mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)),
                _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xffff0000u))))};
    }
    static __m512 add(__m512 sum, const Operand& a, const Operand& b) { return _mm512_fmadd_ps(a.odd, b.odd, _mm512_fmadd_ps(a.even, b.even, sum)); }
    static __m256i round(__m512 values) {
        const __m512i bits = _mm512_castps_si512(values), upper = _mm512_srli_epi32(bits, 16);
        const __m512i lowest = _mm512_and_si512(upper, _mm512_set1_epi32(1));
        __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(lowest, _mm512_set1_epi32(0x7fff))), 16);
        const __mmask16 nan = _mm512_cmp_ps_mask(values, values, _CMP_UNORD_Q);
        rounded = _mm512_mask_or_epi32(rounded, nan, upper, _mm512_set1_epi32(0x40));
        return _mm512_cvtepi32_epi16(rounded);
    }
    static __m512i round(__m512 first, __m512 second) { return _mm512_inserti64x4(_mm512_castsi256_si512(round(first)), round(second), 1); }
};

inline __m512i broadcast_pair(const void* pair) {
    int bits;
    std::memcpy(&bits, pair, sizeof bits);
    return _mm512_set1_epi32(bits);
}

}  // namespace
}  // namespace temper::cpu
