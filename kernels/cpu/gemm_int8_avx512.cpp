// Without VNNI bytes are widened to 16 bits, as with AVX2. With it (every processor that has AVX512_BF16) VPDPBUSD adds four products of an unsigned and
// a signed byte: numbers of the input are 128 too large there, which the offsets take off again.
#include "kernels/cpu/gemm_int8_stores_avx512.h"
#include "kernels/cpu/vector_avx512.h"

#include "kernels/cpu/gemm_int8_body.h"

namespace temper::cpu {
namespace {

struct PairUnit {
    using Number = std::int16_t;
    static constexpr int rows = 12, panels = 1;

    template <int Rows, int Panels>
    static void sums(std::int32_t (&to)[Rows][Panels * kPanelColumns], const Number* a, std::int64_t a_stride, const std::int8_t* panel, std::int64_t,
                     std::int64_t depth) {
        __m512i sum[Rows][2];  // eight columns of two lanes each
#pragma GCC unroll 12
        for (int r = 0; r < Rows; ++r) sum[r][0] = sum[r][1] = _mm512_setzero_si512();
        for (std::int64_t k = 0; k < depth; k += 4) {
            const __m512i left = widened(panel + k * kPanelColumns), right = widened(panel + k * kPanelColumns + 32);
#pragma GCC unroll 12
            for (int r = 0; r < Rows; ++r) {
                long long four;
                std::memcpy(&four, a + r * a_stride + k, sizeof four);
                const __m512i numbers = _mm512_set1_epi64(four);
                sum[r][0] = _mm512_add_epi32(sum[r][0], _mm512_madd_epi16(numbers, left));
                sum[r][1] = _mm512_add_epi32(sum[r][1], _mm512_madd_epi16(numbers, right));
                __asm__ volatile("" : "+v"(sum[r][0]), "+v"(sum[r][1]));  // as in gemm_int8_avx2.cpp
            }
        }
        const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
#pragma GCC unroll 12
        for (int r = 0; r < Rows; ++r) {
            const __m512i first = _mm512_permutex2var_epi32(sum[r][0], even, sum[r][1]),
                          second = _mm512_permutex2var_epi32(sum[r][0], odd, sum[r][1]);
            _mm512_store_si512(to[r], _mm512_add_epi32(first, second));
        }
    }
    static Vec floats(const std::int32_t* sums, const std::int32_t*) { return {_mm512_cvtepi32_ps(_mm512_load_si512(sums))}; }
    static void store(Vec x, Number* to) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(x.v))); }

  private:
    static __m512i widened(const std::int8_t* bytes) { return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes))); }
};

struct VnniUnit : ByteStores<std::uint8_t, 0x80> {
    static constexpr int rows = 12, panels = 2;

    template <int Rows, int Panels>
    static void sums(std::int32_t (&to)[Rows][Panels * kPanelColumns], const Number* a, std::int64_t a_stride, const std::int8_t* panel,
                     std::int64_t panel_bytes, std::int64_t depth) {
        __m512i sum[Rows][Panels];
#pragma GCC unroll 12
        for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
            for (int p = 0; p < Panels; ++p) sum[r][p] = _mm512_setzero_si512();
        for (std::int64_t k = 0; k < depth; k += 4) {
            __m512i line[Panels];
#pragma GCC unroll 2
            for (int p = 0; p < Panels; ++p) line[p] = _mm512_loadu_si512(panel + p * panel_bytes + k * kPanelColumns);
#pragma GCC unroll 12
            for (int r = 0; r < Rows; ++r) {
                std::int32_t four;
                std::memcpy(&four, a + r * a_stride + k, sizeof four);
                const __m512i numbers = _mm512_set1_epi32(four);
                // Written out: these files are not compiled for VNNI, which plain AVX-512 does not have.
#pragma GCC unroll 2
                for (int p = 0; p < Panels; ++p) __asm__("vpdpbusd %2, %1, %0" : "+v"(sum[r][p]) : "v"(numbers), "v"(line[p]));
            }
        }
#pragma GCC unroll 12
        for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
            for (int p = 0; p < Panels; ++p) _mm512_store_si512(to[r] + p * kPanelColumns, sum[r][p]);
    }
    static Vec floats(const std::int32_t* sums, const std::int32_t* offsets) {
        return {_mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_load_si512(sums), _mm512_loadu_si512(offsets)))};
    }
};

}  // namespace

const Int8Kernels int8_avx512 = make_int8_kernels<PairUnit>();
const Int8Kernels int8_vnni_avx512 = make_int8_kernels<VnniUnit>();

}  // namespace temper::cpu
