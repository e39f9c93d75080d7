// The product of gemm.h on AMX tiles (amx_tiles.h). Loops, from the outside: blocks of rows whose chunk of the left operand stays in the
// second-level cache; chunks of depth, so that a pair of panels stays in the first-level one; pairs of panels; rows. Sums between chunks
// are floats in the second-level cache. The sums of a tile leave for the output while the next tile is multiplied.
//   Rows: load(block, row, panel, sums): 16 sums of one row and panel from the output;
//         store<Width>(block, row, panel, sums): those of one row and Width panels, side by side, to it
#pragma once

#include "kernels/cpu/amx_tiles.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/thread_scratch.h"

namespace temper::cpu {

constexpr std::int64_t kAmxRows = 256, kAmxDepth = 640, kAmxPanels = 64;  // of a block, a chunk, and what sums are kept for

// Whole tiles in a fixed buffer on their way to the output, a few rows at a time.
template <class Rows> class Leaving {
  public:
    static constexpr std::int64_t kStride = 2 * kTile;
    float* next_buffer() { return buffers_[1 - current_]; }
    // The buffer that next_buffer() gave is full.
    void begin(const GemmBlock& g, std::int64_t row, std::int64_t rows, std::int64_t panel, int width) {
        current_ = 1 - current_;
        block_ = &g;
        row_ = row;
        panel_ = panel;
        width_ = width;
        at_ = 0;
        rows_ = rows;
    }
    void some() {
        if (at_ < rows_) row();
        if (at_ < rows_) row();
    }
    void all() {
        while (at_ < rows_) row();
    }

  private:
    void row() {
        const float* const sums = buffers_[current_] + at_ * kStride;
        if (width_ == 2) Rows::template store<2>(*block_, row_ + at_, panel_, sums);
        else Rows::template store<1>(*block_, row_ + at_, panel_, sums);
        ++at_;
    }
    alignas(64) float buffers_[2][2 * kTile * kStride];
    int current_ = 0, width_ = 0;
    const GemmBlock* block_ = nullptr;
    std::int64_t row_ = 0, panel_ = 0, at_ = 0, rows_ = 0;
};

// Where a chunk of depth takes its sums from and leaves them: floats, row 0 and panel panel_begin of the block first; null: zero, and the
// output of the block.
struct ChunkSums {
    const float* from = nullptr;
    float* to = nullptr;
    std::int64_t stride = 0;  // floats
};

template <class Tiles, class Rows, int RowTiles> class AmxRows {
  public:
    AmxRows(const GemmBlock& g, const ChunkSums& chunk, Leaving<Rows>& leaving) : g_(g), chunk_(chunk), leaving_(leaving) {}

    // Panels outside, rows [begin, end) inside, `step` at a time: all with one shape of tiles.
    void run(std::int64_t begin, std::int64_t end, std::int64_t step) {
        Tiles::configure(config_of(step));
        for (std::int64_t panel = g_.panel_begin; panel < g_.panel_end;) {
            const bool pair = panel + 1 < g_.panel_end && same_border(g_, panel);
            for (std::int64_t row = begin; row < end; row += step) {
                if (pair) tile<2>(row, step, panel);
                else tile<1>(row, step, panel);
            }
            panel += pair ? 2 : 1;
        }
        leaving_.all();
    }

  private:
    template <int Width> void tile(std::int64_t row, std::int64_t rows, std::int64_t panel) {
        using Block = TileBlock<Tiles, RowTiles, Width>;
        const std::int64_t at = row * chunk_.stride + (panel - g_.panel_begin) * kTile,
                           bytes = chunk_.stride * static_cast<std::int64_t>(sizeof(float));
        start<Width>(row, rows, panel, at, bytes);
        const auto leave = [this] { leaving_.some(); };
        TilePanels<Width> panels{{}, kTileBytes, kTile * kTileBytes};
        for (int w = 0; w < Width; ++w) panels.first[w] = g_.panels + (panel + w) * g_.panel_stride;
        Block::multiply(g_.a + row * g_.a_stride, g_.a_stride * kElement, panels, g_.depth / kDepthStep, leave);
        if (g_.borders != nullptr && g_.borders[panel].depth > 0) {
            const Border& border = g_.borders[panel];
            for (int w = 0; w < Width; ++w) panels.first[w] = g_.borders[panel + w].data;
            Block::multiply(g_.s + row * g_.s_stride + border.begin, g_.s_stride * kElement, panels, border.depth / kDepthStep, leave);
        }
        if (chunk_.to != nullptr) return Block::store(chunk_.to + at, bytes);
        leaving_.all();
        Block::store(leaving_.next_buffer(), Leaving<Rows>::kStride * static_cast<std::int64_t>(sizeof(float)));
        leaving_.begin(g_, row, rows, panel, Width);
    }

    template <int Width> void start(std::int64_t row, std::int64_t rows, std::int64_t panel, std::int64_t at, std::int64_t bytes) {
        using Block = TileBlock<Tiles, RowTiles, Width>;
        if (chunk_.from != nullptr) return Block::load(chunk_.from + at, bytes);
        if (!g_.accumulate) return Block::zero();
        leaving_.all();  // the output may be what is to be loaded
        constexpr std::int64_t stride = Leaving<Rows>::kStride;
        float* const sums = leaving_.next_buffer();
        for (std::int64_t r = 0; r < rows; ++r)
            for (int w = 0; w < Width; ++w) Rows::load(g_, row + r, panel + w, sums + r * stride + w * kTile);
        Block::load(sums, stride * static_cast<std::int64_t>(sizeof(float)));
    }

    static constexpr std::int64_t kElement = sizeof(bf16);
    const GemmBlock& g_;
    ChunkSums chunk_;
    Leaving<Rows>& leaving_;
};

template <class Tiles, class Rows> void amx_chunk(const GemmBlock& g, const ChunkSums& chunk, Leaving<Rows>& leaving) {
    constexpr std::int64_t step = 2 * kTile;
    const std::int64_t whole = g.rows / step * step, left = g.rows - whole;
    if (whole > 0) AmxRows<Tiles, Rows, 2>(g, chunk, leaving).run(0, whole, step);
    if (left > kTile) AmxRows<Tiles, Rows, 2>(g, chunk, leaving).run(whole, g.rows, left);
    else if (left > 0) AmxRows<Tiles, Rows, 1>(g, chunk, leaving).run(whole, g.rows, left);
}

// One block of rows and panels whose depth is longer than a chunk.
template <class Tiles, class Rows> void amx_deep(const GemmBlock& g, float* sums, Leaving<Rows>& leaving) {
    ChunkSums chunk;
    chunk.stride = kAmxPanels * kTile;
    const std::int64_t chunks = (g.depth + kAmxDepth - 1) / kAmxDepth, steps = g.depth / kDepthStep;
    for (std::int64_t c = 0; c < chunks; ++c) {
        const std::int64_t begin = steps * c / chunks * kDepthStep, end = steps * (c + 1) / chunks * kDepthStep;
        GemmBlock part = g;
        part.a += begin;
        part.panels += begin * kPanelColumns;
        part.depth = end - begin;
        const bool last = c + 1 == chunks;
        if (!last) part.borders = nullptr;
        if (c > 0) chunk.from = sums;
        chunk.to = last ? nullptr : sums;
        amx_chunk<Tiles, Rows>(part, chunk, leaving);
    }
}

template <class Tiles, class Rows> void gemm_amx_on(const GemmBlock& g) {
    if (g.rows == 0) return;
    Leaving<Rows> leaving;
    if (g.depth <= kAmxDepth || g.rows <= 2 * kTile) {
        amx_chunk<Tiles, Rows>(g, {}, leaving);
    } else {
        float* const sums = thread_scratch(static_cast<std::size_t>(kAmxRows * kAmxPanels * kTile));
        for (std::int64_t row = 0; row < g.rows; row += kAmxRows)
            for (std::int64_t panel = g.panel_begin; panel < g.panel_end; panel += kAmxPanels) {
                GemmBlock part = g;
                part.rows = g.rows - row < kAmxRows ? g.rows - row : kAmxRows;
                part.a += row * g.a_stride;
                if (g.s != nullptr) part.s += row * g.s_stride;
                if (g.residual != nullptr) part.residual += row * g.residual_stride;
                part.out = static_cast<char*>(g.out) + row * g.out_stride * static_cast<std::int64_t>(g.out_f32 ? sizeof(float) : sizeof(bf16));
                part.panel_begin = panel;
                part.panel_end = g.panel_end - panel < kAmxPanels ? g.panel_end : panel + kAmxPanels;
                amx_deep<Tiles, Rows>(part, sums, leaving);
            }
    }
    Tiles::release();
}

}  // namespace temper::cpu
