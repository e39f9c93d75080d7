// How units of gemm_int8_body.h whose numbers are bytes leave them, 16 at a time.
//   Added: to every byte; 0x80 makes signed numbers unsigned ones
#pragma once
#include "kernels/cpu/vector_avx512.h"

namespace temper::cpu {
namespace {

template <class Byte, unsigned Added> struct ByteStores {
    using Number = Byte;

    static void store(Vec x, Number* to) { store_bytes(_mm512_cvtps_epi32(x.v), to); }
    static void store_wide(Vec x, Number* above, Number* below) {
        const __m512i whole = _mm512_cvtps_epi32(x.v);
        store_bytes(_mm512_srai_epi32(_mm512_add_epi32(whole, _mm512_set1_epi32(128)), 8), above);
        store_bytes(whole, below);
    }

  private:
    // The lowest byte of every number.
    static void store_bytes(__m512i numbers, Number* to) {
        const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_add_epi32(numbers, _mm512_set1_epi32(Added)));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
    }
};

}  // namespace
}  // namespace temper::cpu
