// Register tiles of up to 12 rows x 32 columns at 512 bits, with AVX512_BF16 (vdpbf16ps: two depths at a time) or, without it,
// with bfloat16 widened to float32 by shift and mask. Needs AVX-512 F, BW, DQ, VL; only the *_bf16 entry needs AVX512_BF16.
#include "kernels/cpu/gemm_store_avx512.h"

namespace temper::cpu {
namespace {

constexpr std::int64_t kRows = 12;

// sum[row][panel] += a[row] * panel, over `depth`.
template <class Product, int Rows, int Width>
[[gnu::always_inline]] inline void multiply(__m512 (&sum)[Rows][Width], const bf16* a, std::int64_t a_stride, const bf16* const (&panels)[Width],
                                            std::int64_t depth) {
    for (std::int64_t k = 0; k < depth; k += 2) {
        typename Product::Operand b[Width];
#pragma GCC unroll 2
        for (int w = 0; w < Width; ++w) b[w] = Product::operand(_mm512_loadu_si512(panels[w] + k * kPanelColumns));
#pragma GCC unroll 12
        for (int r = 0; r < Rows; ++r) {
            const typename Product::Operand pair = Product::operand(broadcast_pair(a + r * a_stride + k));
#pragma GCC unroll 2
            for (int w = 0; w < Width; ++w) sum[r][w] = Product::add(sum[r][w], pair, b[w]);
        }
    }
}

template <class Product, int Rows, int Width> void tile(const GemmBlock& g, std::int64_t row, std::int64_t panel) {
    alignas(64) float buffer[Rows][Width][kPanelColumns];  // keeps the unrolled part to what the loop over depth needs
    __m512 sum[Rows][Width];
    if (g.accumulate) {
        for (int r = 0; r < Rows; ++r)
            for (int w = 0; w < Width; ++w) {
                const float* const from = static_cast<const float*>(g.out) + (row + r) * g.out_stride + (panel + w) * kPanelColumns;
                _mm512_store_ps(buffer[r][w], _mm512_maskz_loadu_ps(columns_of(g, panel + w), from));
            }
    }
#pragma GCC unroll 12
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
        for (int w = 0; w < Width; ++w) sum[r][w] = g.accumulate ? _mm512_load_ps(buffer[r][w]) : _mm512_setzero_ps();
    const bf16* panels[Width];
#pragma GCC unroll 2
    for (int w = 0; w < Width; ++w) panels[w] = g.panels + (panel + w) * g.panel_stride;
    multiply<Product, Rows, Width>(sum, g.a + row * g.a_stride, g.a_stride, panels, g.depth);
    if (g.borders != nullptr && g.borders[panel].depth > 0) {
        const Border& border = g.borders[panel];
#pragma GCC unroll 2
        for (int w = 0; w < Width; ++w) panels[w] = g.borders[panel + w].data;
        multiply<Product, Rows, Width>(sum, g.s + row * g.s_stride + border.begin, g.s_stride, panels, border.depth);
    }
#pragma GCC unroll 12
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
        for (int w = 0; w < Width; ++w) _mm512_store_ps(buffer[r][w], sum[r][w]);
    for (int r = 0; r < Rows; ++r) store_row<Product, Width>(g, buffer[r][0], row + r, panel);
}

using Tile = void (*)(const GemmBlock&, std::int64_t row, std::int64_t panel);

template <class Product, int Width>
constexpr Tile kTiles[kRows] = {tile<Product, 1, Width>, tile<Product, 2, Width>,  tile<Product, 3, Width>,  tile<Product, 4, Width>,
                                tile<Product, 5, Width>, tile<Product, 6, Width>,  tile<Product, 7, Width>,  tile<Product, 8, Width>,
                                tile<Product, 9, Width>, tile<Product, 10, Width>, tile<Product, 11, Width>, tile<Product, 12, Width>};

// Panels outside, rows inside: a pair of panels stays in the first-level cache for all rows of the block.
template <class Product> void gemm_block(const GemmBlock& g) {
    const std::int64_t tiles = (g.rows + kRows - 1) / kRows;
    for (std::int64_t panel = g.panel_begin; panel < g.panel_end;) {
        const bool pair = panel + 1 < g.panel_end && same_border(g, panel);
        const Tile* const sizes = pair ? kTiles<Product, 2> : kTiles<Product, 1>;
        for (std::int64_t i = 0, row = 0; i < tiles; ++i) {
            const std::int64_t count = (g.rows - row) / (tiles - i);  // even tiles: a lone row would wait on its own sums
            sizes[count - 1](g, row, panel);
            row += count;
        }
        panel += pair ? 2 : 1;
    }
}

}  // namespace

void gemm_avx512(const GemmBlock& block) { gemm_block<WidenedProduct>(block); }
void gemm_avx512_bf16(const GemmBlock& block) { gemm_block<PairProduct>(block); }

}  // namespace temper::cpu
