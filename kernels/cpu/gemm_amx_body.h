// The product on AMX tiles: 2 x 2 blocks of 16 rows x 16 columns over steps of 32 depths. Written over a tile interface, so that the
// tests run the same code on emulated tiles where the processor has none:
//   Tiles: configure(TileConfig), release(), zero<T>(), load<T>(memory, stride), stream<T>(memory, stride) (a load that is not to stay
//          in the first-level cache), store<T>(memory, stride), multiply<C, A, B>(): C += A * B; strides in bytes
//   Rows:  load(block, row, panel, sums), store(block, row, panel, sums): 16 sums of one row and panel from and to the output
// Row law: TDPBF16PS treats the rows of a tile alike, so a tile of fewer rows gives the same bits.
#pragma once
#include <cstdint>

#include "kernels/cpu/gemm.h"

namespace temper::cpu {

// The memory image that LDTILECFG reads (Intel SDM volume 2A).
struct alignas(64) TileConfig {
    std::uint8_t palette = 1, start_row = 0;
    std::uint8_t reserved[14] = {};
    std::uint16_t row_bytes[16] = {};
    std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

constexpr std::int64_t kTile = 16;               // rows of a tile, and its floats a row
constexpr std::int64_t kTileBytes = 64;          // bytes of a tile's row
constexpr int kSums = 4, kLeft = 0, kRight = 2;  // tmm0-1 rows of a, tmm2-3 panels, tmm4-7 sums: 4 + 2 * row tile + panel

template <class Tiles, class Rows, int RowTiles, int Width> class AmxTile {
  public:
    static void run(const GemmBlock& g, std::int64_t row, std::int64_t rows, std::int64_t panel) {
        alignas(64) float sums[RowTiles * kTile][Width * kTile];
        if (g.accumulate) {
            each_row(rows, [&](std::int64_t r, std::int64_t w) { Rows::load(g, row + r, panel + w, &sums[r][w * kTile]); });
            load_sums(&sums[0][0]);
        } else {
            zero_sums();
        }
        const bf16* panels[Width];
        for (int w = 0; w < Width; ++w) panels[w] = g.panels + (panel + w) * g.panel_stride;
        multiply(g.a + row * g.a_stride, g.a_stride, panels, g.depth);
        if (g.borders != nullptr && g.borders[panel].depth > 0) {
            const Border& border = g.borders[panel];
            for (int w = 0; w < Width; ++w) panels[w] = g.borders[panel + w].data;
            multiply(g.s + row * g.s_stride + border.begin, g.s_stride, panels, border.depth);
        }
        store_sums(&sums[0][0]);
        each_row(rows, [&](std::int64_t r, std::int64_t w) { Rows::store(g, row + r, panel + w, &sums[r][w * kTile]); });
    }

  private:
    static constexpr std::int64_t kSumStride = Width * kTileBytes;

    template <class Function> static void each_row(std::int64_t rows, const Function& function) {
        for (std::int64_t r = 0; r < rows; ++r)
            for (int w = 0; w < Width; ++w) function(r, w);
    }
    static void zero_sums() {
        Tiles::template zero<kSums>();
        if constexpr (Width == 2) Tiles::template zero<kSums + 1>();
        if constexpr (RowTiles == 2) Tiles::template zero<kSums + 2>();
        if constexpr (RowTiles == 2 && Width == 2) Tiles::template zero<kSums + 3>();
    }
    static void load_sums(const float* sums) {
        Tiles::template load<kSums>(sums, kSumStride);
        if constexpr (Width == 2) Tiles::template load<kSums + 1>(sums + kTile, kSumStride);
        const float* const lower = sums + kTile * Width * kTile;
        if constexpr (RowTiles == 2) Tiles::template load<kSums + 2>(lower, kSumStride);
        if constexpr (RowTiles == 2 && Width == 2) Tiles::template load<kSums + 3>(lower + kTile, kSumStride);
    }
    static void store_sums(float* sums) {
        Tiles::template store<kSums>(sums, kSumStride);
        if constexpr (Width == 2) Tiles::template store<kSums + 1>(sums + kTile, kSumStride);
        float* const lower = sums + kTile * Width * kTile;
        if constexpr (RowTiles == 2) Tiles::template store<kSums + 2>(lower, kSumStride);
        if constexpr (RowTiles == 2 && Width == 2) Tiles::template store<kSums + 3>(lower + kTile, kSumStride);
    }
    // Rows of a stream past the first-level cache; the panels stay in it for all rows of the block.
    static void multiply(const bf16* a, std::int64_t a_stride, const bf16* const (&panels)[Width], std::int64_t depth) {
        const std::int64_t a_bytes = a_stride * static_cast<std::int64_t>(sizeof(bf16));
        for (std::int64_t k = 0; k < depth; k += kDepthStep) {
            Tiles::template load<kRight>(panels[0] + k * kPanelColumns, kTileBytes);
            Tiles::template stream<kLeft>(a + k, a_bytes);
            Tiles::template multiply<kSums, kLeft, kRight>();
            if constexpr (Width == 2) {
                Tiles::template load<kRight + 1>(panels[1] + k * kPanelColumns, kTileBytes);
                Tiles::template multiply<kSums + 1, kLeft, kRight + 1>();
            }
            if constexpr (RowTiles == 2) {
                Tiles::template stream<kLeft + 1>(a + kTile * a_stride + k, a_bytes);
                Tiles::template multiply<kSums + 2, kLeft + 1, kRight>();
                if constexpr (Width == 2) Tiles::template multiply<kSums + 3, kLeft + 1, kRight + 1>();
            }
        }
    }
};

// Tiles for up to 32 rows: upper and lower row tiles, their sums, and whole panels.
static inline TileConfig config_of(std::int64_t rows) {
    TileConfig config;
    const std::uint8_t upper = static_cast<std::uint8_t>(rows < kTile ? rows : kTile), lower = static_cast<std::uint8_t>(rows - upper);
    const std::uint8_t counts[8] = {upper, lower, kTile, kTile, upper, upper, lower, lower};
    for (int t = 0; t < 8; ++t) {
        config.rows[t] = counts[t];
        config.row_bytes[t] = counts[t] == 0 ? std::uint16_t{0} : static_cast<std::uint16_t>(kTileBytes);  // neither may be zero alone
    }
    return config;
}

// Panels outside, rows inside, all with one shape of tiles.
template <class Tiles, class Rows, int RowTiles> void amx_rows(const GemmBlock& g, std::int64_t begin, std::int64_t end, std::int64_t step) {
    Tiles::configure(config_of(step));
    for (std::int64_t panel = g.panel_begin; panel < g.panel_end;) {
        const bool pair = panel + 1 < g.panel_end && same_border(g, panel);
        for (std::int64_t row = begin; row < end; row += step) {
            if (pair) AmxTile<Tiles, Rows, RowTiles, 2>::run(g, row, step, panel);
            else AmxTile<Tiles, Rows, RowTiles, 1>::run(g, row, step, panel);
        }
        panel += pair ? 2 : 1;
    }
}

template <class Tiles, class Rows> void gemm_amx_on(const GemmBlock& g) {
    constexpr std::int64_t step = 2 * kTile;
    const std::int64_t whole = g.rows / step * step, left = g.rows - whole;
    if (whole > 0) amx_rows<Tiles, Rows, 2>(g, 0, whole, step);
    if (left > kTile) amx_rows<Tiles, Rows, 2>(g, whole, g.rows, left);
    else if (left > 0) amx_rows<Tiles, Rows, 1>(g, whole, g.rows, left);
    if (g.rows > 0) Tiles::release();
}

}  // namespace temper::cpu
