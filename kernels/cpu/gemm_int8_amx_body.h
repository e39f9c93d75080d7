// The sums of gemm_int8.h on AMX tiles of bytes (amx_tiles.h, with Tiles::multiply_bytes), which are laid out as those of bfloat16 are: 64 depths in
// place of 32 in a tile's row, four in place of two in a panel's lane.
//   finish(row, rows, panel, panels, sums): sums (rows, 32) of these rows of `a` and panels, on their way out; parts of a row are never torn apart
#pragma once
#include <cstdint>

#include "kernels/cpu/amx_tiles.h"
#include "kernels/cpu/gemm_int8.h"

namespace temper::cpu {

template <class Registers> struct ByteTiles : Registers {
    template <int C, int A, int B> static void multiply() { Registers::template multiply_bytes<C, A, B>(); }
};

template <class Tiles, class T, class Finish> class ByteRows {
  public:
    ByteRows(const GemmInt8<T>& g, const Finish& finish) : g_(g), finish_(finish) {}

    // Even tiles of at most 32 rows.
    void run() {
        constexpr std::int64_t step = 2 * kTile;
        const std::int64_t count = g_.rows * g_.parts, whole = count / step * step, left = count - whole;
        if (whole > 0) rows<2>(0, whole, step);
        if (left > kTile) rows<2>(whole, count, left);
        else if (left > 0) rows<1>(whole, count, left);
        Tiles::release();
    }

  private:
    template <int RowTiles> void rows(std::int64_t begin, std::int64_t end, std::int64_t step) {
        Tiles::configure(config_of(step));
        std::int64_t panel = g_.panel_begin;
        for (; panel + 1 < g_.panel_end; panel += 2)
            for (std::int64_t row = begin; row < end; row += step) tile<RowTiles, 2>(row, step, panel);
        for (std::int64_t row = begin; panel < g_.panel_end && row < end; row += step) tile<RowTiles, 1>(row, step, panel);
    }
    template <int RowTiles, int Width> void tile(std::int64_t row, std::int64_t count, std::int64_t panel) {
        using Block = TileBlock<ByteTiles<Tiles>, RowTiles, Width>;
        constexpr std::int64_t stride = 2 * kTile;
        alignas(64) std::int32_t sums[2 * kTile * stride];
        TilePanels<Width> panels{{}, kTileBytes, kTile * kTileBytes};
        for (int w = 0; w < Width; ++w) panels.first[w] = g_.panels + (panel + w) * g_.depth * kPanelColumns;
        Block::zero();
        Block::multiply(g_.a + row * g_.a_bytes, g_.a_bytes, panels, g_.depth / kByteStep, [] {});
        Block::store(reinterpret_cast<float*>(sums), stride * static_cast<std::int64_t>(sizeof(std::int32_t)));  // bits pass through
        finish_(row, count, panel, Width, sums);
    }

    const GemmInt8<T>& g_;
    const Finish& finish_;
};

}  // namespace temper::cpu
