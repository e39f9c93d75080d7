// The products of attention on AMX tiles: operands lie as pairs of bfloat16 do (attention_operand_bf16.h), in whole tiles.
#pragma once
#include "kernels/cpu/amx_tiles.h"
#include "kernels/cpu/attention_operand_bf16.h"
#include "kernels/cpu/attention_product.h"

namespace temper::cpu {
namespace {

template <class TileUnit> struct TileOperand : PairOperand {
    static constexpr int depth = 32, row_unit = 16, rows = 32, run = 16;
    static constexpr bool tiled = true;

    struct Session {
        Session() { TileUnit::configure(config_of(2 * kTile)); }
        ~Session() { TileUnit::release(); }
        Session(const Session&) = delete;
        Session& operator=(const Session&) = delete;
    };

    // c = [c * scale] + a b, in tiles of 16 rows by 16 columns over steps of 32 numbers.
    template <Into into> static void multiply(const Product& x) {
        if constexpr (into == Into::rescale) {
            for (std::int64_t r = 0; r < x.rows; ++r) {
                float* const row = x.c + r * x.c_stride;
                const Vec scale = Vec::broadcast(x.scale[r]);
                for (std::int64_t c = 0; c < x.columns; c += Vec::width) (Vec::load(row + c) * scale).store(row + c);
            }
        }
        for (std::int64_t column = 0; column < x.columns; column += 2 * kTile) {
            if (x.columns - column > kTile) columns<into, 2>(x, column);
            else columns<into, 1>(x, column);
        }
    }

  private:
    template <Into into, int Width> static void columns(const Product& x, std::int64_t column) {
        for (std::int64_t row = 0; row < x.rows; row += 2 * kTile) {
            if (x.rows - row > kTile) block<into, 2, Width>(x, row, column);
            else block<into, 1, Width>(x, row, column);
        }
    }
    template <Into into, int RowTiles, int Width> static void block(const Product& x, std::int64_t row, std::int64_t column) {
        using Block = TileBlock<TileUnit, RowTiles, Width>;
        float* const sums = x.c + row * x.c_stride + column;
        const std::int64_t bytes = x.c_stride * static_cast<std::int64_t>(sizeof(float));
        if constexpr (into == Into::overwrite) Block::zero();
        else Block::load(sums, bytes);
        TilePanels<Width> panels{{}, x.b_lanes * 4, kTile * x.b_lanes * 4};
        for (int w = 0; w < Width; ++w) panels.first[w] = static_cast<const std::uint16_t*>(x.b) + (column + w * kTile) * step;
        Block::multiply(static_cast<const std::uint16_t*>(x.a) + row * x.a_stride, x.a_stride * 2, panels, x.steps / kTile, [] {});
        Block::store(sums, bytes);
    }
};

}  // namespace
}  // namespace temper::cpu
