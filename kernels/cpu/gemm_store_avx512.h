// The way of sums from registers to the output of a product. Only for files compiled for AVX-512: everything is local to the file.
#pragma once
#include "kernels/cpu/bf16_avx512.h"
#include "kernels/cpu/gemm.h"

namespace temper::cpu {
namespace {

inline __mmask16 columns_of(const GemmBlock& g, std::int64_t panel) {
    const std::int64_t left = g.columns - panel * kPanelColumns;
    return left >= kPanelColumns ? static_cast<__mmask16>(0xffff) : static_cast<__mmask16>((1u << left) - 1u);
}

inline __m512 widened(const bf16* values) {
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

// The sums of one row and panel on their way out.
template <class Product> void store(const GemmBlock& g, __m512 sum, std::int64_t row, std::int64_t panel, __mmask16 mask) {
    const std::int64_t column = panel * kPanelColumns;
    if (g.scale != nullptr) sum = _mm512_mul_ps(sum, _mm512_maskz_loadu_ps(mask, g.scale + column));
    if (g.bias != nullptr) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, g.bias + column));
    if (g.residual != nullptr) {
        const __m256i residual = _mm256_maskz_loadu_epi16(mask, g.residual + row * g.residual_stride + column);
        sum = _mm512_add_ps(sum, _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(residual), 16)));
    }
    if (g.out_f32) _mm512_mask_storeu_ps(static_cast<float*>(g.out) + row * g.out_stride + column, mask, sum);
    else _mm256_mask_storeu_epi16(static_cast<bf16*>(g.out) + row * g.out_stride + column, mask, Product::round(sum));
}

// The sums of one row and two whole panels as bfloat16: one line of the output.
template <class Product> void store_line(const GemmBlock& g, const float* sums, std::int64_t row, std::int64_t panel) {
    const std::int64_t column = panel * kPanelColumns;
    __m512 left = _mm512_loadu_ps(sums), right = _mm512_loadu_ps(sums + kPanelColumns);
    if (g.scale != nullptr) {
        left = _mm512_mul_ps(left, _mm512_loadu_ps(g.scale + column));
        right = _mm512_mul_ps(right, _mm512_loadu_ps(g.scale + column + kPanelColumns));
    }
    if (g.bias != nullptr) {
        left = _mm512_add_ps(left, _mm512_loadu_ps(g.bias + column));
        right = _mm512_add_ps(right, _mm512_loadu_ps(g.bias + column + kPanelColumns));
    }
    if (g.residual != nullptr) {
        const bf16* const residual = g.residual + row * g.residual_stride + column;
        left = _mm512_add_ps(left, widened(residual));
        right = _mm512_add_ps(right, widened(residual + kPanelColumns));
    }
    _mm512_storeu_si512(static_cast<bf16*>(g.out) + row * g.out_stride + column, Product::round(left, right));
}

// The sums of one row and `Width` panels, side by side.
template <class Product, int Width> void store_row(const GemmBlock& g, const float* sums, std::int64_t row, std::int64_t panel) {
    if constexpr (Width == 2)
        if (!g.out_f32 && (panel + 2) * kPanelColumns <= g.columns) return store_line<Product>(g, sums, row, panel);
    for (int w = 0; w < Width; ++w) store<Product>(g, _mm512_loadu_ps(sums + w * kPanelColumns), row, panel + w, columns_of(g, panel + w));
}

}  // namespace
}  // namespace temper::cpu
