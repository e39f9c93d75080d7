// Bytes are widened to 16 bits: VPMADDWD adds the products of two pairs, which VPMADDUBSW would cut off at 16 bits. A register of a panel is four
// columns of four depths, so that a column's sum lies in two lanes.
#include "kernels/cpu/vector_avx2.h"

#include "kernels/cpu/gemm_int8_body.h"

namespace temper::cpu {
namespace {

struct PairUnit {
    using Number = std::int16_t;
    static constexpr int rows = 6, panels = 1;

    template <int Rows, int Panels>
    static void sums(std::int32_t (&to)[Rows][Panels * kPanelColumns], const Number* a, std::int64_t a_stride, const std::int8_t* panel, std::int64_t,
                     std::int64_t depth) {
        for (int half = 0; half < 2; ++half) half_panel<Rows>(to, half * 8, a, a_stride, panel + half * 32, depth);
    }
    static Vec floats(const std::int32_t* sums, const std::int32_t*) {
        return {_mm256_cvtepi32_ps(_mm256_load_si256(reinterpret_cast<const __m256i*>(sums)))};
    }
    static void store(Vec x, Number* to) {
        const __m256i whole = _mm256_cvtps_epi32(x.v);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1)));
    }

  private:
    static __m256i widened(const std::int8_t* bytes) { return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes))); }

    // Eight columns.
    template <int Rows>
    static void half_panel(std::int32_t (&to)[Rows][kPanelColumns], int column, const Number* a, std::int64_t a_stride, const std::int8_t* panel,
                           std::int64_t depth) {
        __m256i sum[Rows][2];
#pragma GCC unroll 6
        for (int r = 0; r < Rows; ++r) sum[r][0] = sum[r][1] = _mm256_setzero_si256();
        for (std::int64_t k = 0; k < depth; k += 4) {
            const __m256i left = widened(panel + k * kPanelColumns), right = widened(panel + k * kPanelColumns + 16);
#pragma GCC unroll 6
            for (int r = 0; r < Rows; ++r) {
                long long four;
                std::memcpy(&four, a + r * a_stride + k, sizeof four);
                const __m256i numbers = _mm256_set1_epi64x(four);
                sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(numbers, left));
                sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(numbers, right));
                // One row after another: all rows' numbers at once would push sums out of the registers.
                __asm__ volatile("" : "+x"(sum[r][0]), "+x"(sum[r][1]));
            }
        }
#pragma GCC unroll 6
        for (int r = 0; r < Rows; ++r) {
            // The halves of both registers: columns 0 1 4 5 2 3 6 7.
            const __m256i added = _mm256_hadd_epi32(sum[r][0], sum[r][1]);
            _mm256_store_si256(reinterpret_cast<__m256i*>(to[r] + column), _mm256_permute4x64_epi64(added, 0xd8));
        }
    }
};

}  // namespace

const Int8Kernels int8_avx2 = make_int8_kernels<PairUnit>();

}  // namespace temper::cpu
