// Register tiles of up to 4 rows x 16 columns at 256 bits; bfloat16 is widened to float32 by shift and mask. Needs AVX2 and FMA.
#include "kernels/cpu/bf16_avx2.h"
#include "kernels/cpu/gemm.h"

namespace temper::cpu {
namespace {

constexpr std::int64_t kRows = 4;
constexpr int kLanes = 8, kHalves = 2;  // a panel is two registers of pairs

// sum[row][half] += a[row] * panel, over `depth`.
template <int Rows>
[[gnu::always_inline]] inline void multiply(__m256 (&sum)[Rows][kHalves], const bf16* a, std::int64_t a_stride, const bf16* panel,
                                            std::int64_t depth) {
    for (std::int64_t k = 0; k < depth; k += 2) {
        __m256i b[kHalves];
#pragma GCC unroll 2
        for (int h = 0; h < kHalves; ++h) b[h] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(panel + k * kPanelColumns + h * 2 * kLanes));
#pragma GCC unroll 4
        for (int r = 0; r < Rows; ++r) {
            const __m256i both = broadcast_pair(a + r * a_stride + k);
#pragma GCC unroll 2
            for (int h = 0; h < kHalves; ++h) sum[r][h] = add_pair_product(sum[r][h], both, b[h]);
        }
    }
}

// Round to nearest even in the lower half of each lane, NaN kept quiet.
__m256i rounded(__m256 values) {
    const __m256i bits = _mm256_castps_si256(values), upper = _mm256_srli_epi32(bits, 16);
    const __m256i bias = _mm256_add_epi32(_mm256_and_si256(upper, _mm256_set1_epi32(1)), _mm256_set1_epi32(0x7fff));
    const __m256i nearest = _mm256_srli_epi32(_mm256_add_epi32(bits, bias), 16);
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(values, values, _CMP_UNORD_Q));
    return _mm256_blendv_epi8(nearest, _mm256_or_si256(upper, _mm256_set1_epi32(0x40)), nan);
}

// Up to 16 numbers through a padded copy, so that a row's last columns take the same instructions as the others.
struct Numbers {
    alignas(32) float values[kPanelColumns] = {};
    Numbers(const float* from, std::size_t count) { std::memcpy(values, from, count * sizeof(float)); }
    __m256 half(int h) const { return _mm256_load_ps(values + h * kLanes); }
};

__m256 widened(const bf16* from, std::size_t count) {
    alignas(16) bf16 values[kLanes] = {};
    std::memcpy(values, from, count * sizeof(bf16));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(values))), 16));
}

void store_half(const GemmBlock& g, __m256 sum, std::int64_t row, std::int64_t column) {
    const std::int64_t left = g.columns - column;
    if (left <= 0) return;
    const std::size_t count = left < kLanes ? static_cast<std::size_t>(left) : kLanes;
    if (g.scale != nullptr) sum = _mm256_mul_ps(sum, Numbers(g.scale + column, count).half(0));
    if (g.bias != nullptr) sum = _mm256_add_ps(sum, Numbers(g.bias + column, count).half(0));
    if (g.residual != nullptr) sum = _mm256_add_ps(sum, widened(g.residual + row * g.residual_stride + column, count));
    if (g.out_f32) {
        alignas(32) float values[kLanes];
        _mm256_store_ps(values, sum);
        std::memcpy(static_cast<float*>(g.out) + row * g.out_stride + column, values, count * sizeof(float));
        return;
    }
    const __m256i lanes = rounded(sum);
    alignas(16) bf16 values[kLanes];
    _mm_store_si128(reinterpret_cast<__m128i*>(values), _mm_packus_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1)));
    std::memcpy(static_cast<bf16*>(g.out) + row * g.out_stride + column, values, count * sizeof(bf16));
}

template <int Rows> void tile(const GemmBlock& g, std::int64_t row, std::int64_t panel) {
    __m256 sum[Rows][kHalves];
    const std::int64_t column = panel * kPanelColumns, left = g.columns - column;
    const std::size_t count = static_cast<std::size_t>(left < kPanelColumns ? left : kPanelColumns);
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
        sum[r][0] = sum[r][1] = _mm256_setzero_ps();
        if (!g.accumulate) continue;
        const Numbers before(static_cast<const float*>(g.out) + (row + r) * g.out_stride + column, count);
        sum[r][0] = before.half(0);
        sum[r][1] = before.half(1);
    }
    multiply<Rows>(sum, g.a + row * g.a_stride, g.a_stride, g.panels + panel * g.panel_stride, g.depth);
    if (g.borders != nullptr && g.borders[panel].depth > 0) {
        const Border& border = g.borders[panel];
        multiply<Rows>(sum, g.s + row * g.s_stride + border.begin, g.s_stride, border.data, border.depth);
    }
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
        for (int h = 0; h < kHalves; ++h) store_half(g, sum[r][h], row + r, column + h * kLanes);
}

using Tile = void (*)(const GemmBlock&, std::int64_t row, std::int64_t panel);
constexpr Tile kTiles[kRows] = {tile<1>, tile<2>, tile<3>, tile<4>};

}  // namespace

void gemm_avx2(const GemmBlock& g) {
    for (std::int64_t panel = g.panel_begin; panel < g.panel_end; ++panel)
        for (std::int64_t row = 0; row < g.rows; row += kRows) kTiles[(g.rows - row < kRows ? g.rows - row : kRows) - 1](g, row, panel);
}

}  // namespace temper::cpu
