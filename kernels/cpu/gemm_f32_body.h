// gemm_f32 on Vec; compiled once for each instruction set by gemm_f32*.cpp. Register tiles: a panel's 16 columns, or two panels', by as many rows as the
// registers take.
#pragma once
#include "kernels/cpu/gemm_f32.h"
#include "kernels/cpu/vector_math.h"

namespace temper::cpu {
namespace {

constexpr int kPanelVectors = static_cast<int>(kPanelColumns) / Vec::width;
constexpr int kTileRows = Vec::width == 1 ? 1 : Vec::registers == 32 ? 12 : 6, kTilePanels = Vec::registers == 32 ? 2 : 1;

// The sums of one row on their way out.
template <int Vectors> void store_sums(const GemmF32& g, const Vec (&sums)[Vectors], std::int64_t row, std::int64_t first) {
    float* const out = g.out + row * g.out_stride + first;
    const std::int64_t left = g.columns - first;
    for (std::int64_t v = 0; v < Vectors && v * Vec::width < left; ++v) {
        const std::int64_t column = v * Vec::width, count = left - column < Vec::width ? left - column : Vec::width;
        Vec sum = sums[v];
        if (g.bias != nullptr) sum = sum + load_part(g.bias + first + column, count);
        if (g.residual != nullptr) sum = sum + load_part(g.residual + row * g.residual_stride + first + column, count);
        store_part(sum, out + column, count);
    }
}

// Numbers that `out` holds from this column on; zeros behind its last.
inline Vec held(const GemmF32& g, std::int64_t row, std::int64_t column) {
    const std::int64_t left = g.columns - column;
    return left <= 0 ? Vec::zero() : load_part(g.out + row * g.out_stride + column, left < Vec::width ? left : Vec::width);
}

template <int Rows, int Panels> void tile(const GemmF32& g, std::int64_t row, std::int64_t panel) {
    constexpr int vectors = Panels * kPanelVectors;
    const float* const a = g.a + row * g.a_stride;
    const float* b[Panels];
    for (int p = 0; p < Panels; ++p) b[p] = g.panels + (panel + p) * g.depth * kPanelColumns;
    Vec sum[Rows][vectors];  // registers, once the loops are unrolled
#pragma GCC unroll 12
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 16
        for (int v = 0; v < vectors; ++v) sum[r][v] = g.goes_on ? held(g, row + r, panel * kPanelColumns + v * Vec::width) : Vec::zero();
    for (std::int64_t k = 0; k < g.depth; ++k) {
        Vec line[vectors];
#pragma GCC unroll 16
        for (int v = 0; v < vectors; ++v) line[v] = Vec::load(b[v / kPanelVectors] + k * kPanelColumns + v % kPanelVectors * Vec::width);
#pragma GCC unroll 12
        for (int r = 0; r < Rows; ++r) {
            const Vec factor = Vec::broadcast(a[r * g.a_stride + k]);
#pragma GCC unroll 16
            for (int v = 0; v < vectors; ++v) sum[r][v] = fma(factor, line[v], sum[r][v]);
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < Rows; ++r) store_sums(g, sum[r], row + r, panel * kPanelColumns);
}

using Tile = void (*)(const GemmF32&, std::int64_t row, std::int64_t panel);

template <int Panels, int... Rows> constexpr auto make_tiles() {
    struct Tiles {
        Tile of[sizeof...(Rows)];
    };
    return Tiles{{tile<Rows, Panels>...}};
}

// Panels outside, rows inside: a panel stays in the first-level cache for all rows of the block.
template <int Panels, class Tiles> void multiply_panels(const GemmF32& g, const Tiles& tiles, std::int64_t panel) {
    const std::int64_t count = (g.rows + kTileRows - 1) / kTileRows;
    for (std::int64_t i = 0, row = 0; i < count; ++i) {
        const std::int64_t rows = (g.rows - row) / (count - i);  // even tiles: a lone row would wait on its own sums
        tiles.of[rows - 1](g, row, panel);
        row += rows;
    }
}

template <int... Rows> void multiply_all(const GemmF32& g) {
    static_assert(sizeof...(Rows) == kTileRows);
    constexpr auto wide = make_tiles<kTilePanels, Rows...>();
    constexpr auto narrow = make_tiles<1, Rows...>();
    std::int64_t panel = g.panel_begin;
    for (; panel + kTilePanels <= g.panel_end; panel += kTilePanels) multiply_panels<kTilePanels>(g, wide, panel);
    for (; panel < g.panel_end; ++panel) multiply_panels<1>(g, narrow, panel);
}

}  // namespace
}  // namespace temper::cpu
