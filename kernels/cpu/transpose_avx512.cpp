#include "kernels/cpu/transpose.h"

#include "kernels/cpu/bf16_avx512.h"

namespace temper::cpu {
namespace {

// The 4 x 4 matrix of 128-bit lanes in four rows, transposed.
void transpose_lanes(__m512i& a, __m512i& b, __m512i& c, __m512i& d) {
    const __m512i upper_left = _mm512_shuffle_i64x2(a, b, 0x44), upper_right = _mm512_shuffle_i64x2(a, b, 0xee);
    const __m512i lower_left = _mm512_shuffle_i64x2(c, d, 0x44), lower_right = _mm512_shuffle_i64x2(c, d, 0xee);
    a = _mm512_shuffle_i64x2(upper_left, lower_left, 0x88);
    b = _mm512_shuffle_i64x2(upper_left, lower_left, 0xdd);
    c = _mm512_shuffle_i64x2(upper_right, lower_right, 0x88);
    d = _mm512_shuffle_i64x2(upper_right, lower_right, 0xdd);
}

}  // namespace

void transpose_blocks_avx512(bf16* to, const bf16* from, std::int64_t from_stride, std::int64_t count) {
    const __m512i turn = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15));
    for (std::int64_t block = 0; block < count; ++block, from += from_stride, to += kTransposeBlock) {
        __m512i even[4], odd[4];  // rows of units, after the exchange inside pairs of rows
        for (int i = 0; i < 4; ++i) {
            const __m512i first = _mm512_loadu_si512(from + 64 * i), second = _mm512_loadu_si512(from + 64 * i + 32);
            even[i] = _mm512_unpacklo_epi64(first, second);
            odd[i] = _mm512_unpackhi_epi64(first, second);
        }
        transpose_lanes(even[0], even[1], even[2], even[3]);
        transpose_lanes(odd[0], odd[1], odd[2], odd[3]);
        for (int i = 0; i < 4; ++i) {
            _mm512_storeu_si512(to + 64 * i, _mm512_shuffle_epi8(even[i], turn));
            _mm512_storeu_si512(to + 64 * i + 32, _mm512_shuffle_epi8(odd[i], turn));
        }
    }
}

}  // namespace temper::cpu
