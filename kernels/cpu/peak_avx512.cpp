#include "kernels/cpu/bf16_avx512.h"
#include "kernels/cpu/peak.h"

namespace temper::cpu {
namespace {

constexpr int kSums = 16;  // enough to hide the latency of every known processor

template <class Add> double spin(long rounds, double flop, const Add& add) {
    __m512 sums[kSums];
#pragma GCC unroll 16
    for (int i = 0; i < kSums; ++i) sums[i] = _mm512_setzero_ps();
    for (long round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
        for (int i = 0; i < kSums; ++i) {
            sums[i] = add(sums[i]);
            __asm__ volatile("" : "+v"(sums[i]));
        }
    }
    return static_cast<double>(rounds) * kSums * flop;
}

}  // namespace

double spin_avx512(long rounds) {
    const __m512 factor = _mm512_set1_ps(0.5f);
    return spin(rounds, 32, [&](__m512 sum) { return _mm512_fmadd_ps(sum, factor, factor); });
}

double spin_avx512_bf16(long rounds) {
    const __m512i factor = _mm512_set1_epi32(0x3f003f00);
    return spin(rounds, 64, [&](__m512 sum) { return PairProduct::add(sum, factor, factor); });
}

}  // namespace temper::cpu
