// Products of bfloat16 pairs at 256 bits. Only for files compiled for AVX2 and FMA: everything is local to the file.
#pragma once
#include <cstring>

#include <immintrin.h>

#include "kernels/tensor.h"

namespace temper::cpu {
namespace {

inline __m256 even(__m256i pairs) { return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)); }
inline __m256 odd(__m256i pairs) { return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(static_cast<int>(0xffff0000u)))); }

inline __m256 add_pair_product(__m256 sum, __m256i a, __m256i b) { return _mm256_fmadd_ps(odd(a), odd(b), _mm256_fmadd_ps(even(a), even(b), sum)); }

inline __m256i broadcast_pair(const void* pair) {
    int bits;
    std::memcpy(&bits, pair, sizeof bits);
    return _mm256_set1_epi32(bits);
}

}  // namespace
}  // namespace temper::cpu
