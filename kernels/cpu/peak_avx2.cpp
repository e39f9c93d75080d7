#include <immintrin.h>

#include "kernels/cpu/peak.h"

namespace temper::cpu {

double spin_avx2(long rounds) {
    constexpr int count = 12;
    const __m256 factor = _mm256_set1_ps(0.5f);
    __m256 sums[count];
#pragma GCC unroll 12
    for (int i = 0; i < count; ++i) sums[i] = _mm256_setzero_ps();
    for (long round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
        for (int i = 0; i < count; ++i) {
            sums[i] = _mm256_fmadd_ps(sums[i], factor, factor);
            __asm__ volatile("" : "+x"(sums[i]));
        }
    }
    return static_cast<double>(rounds) * count * 16;
}

}  // namespace temper::cpu
