// How a product of (rows, columns) is shared by threads: blocks of rows whose part of the left operand stays in the second-level
// cache, and, when there are fewer blocks than threads, groups of panels. The cut changes no bit (row law of gemm.h).
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/cpu/gemm.h"
#include "kernels/stream.h"

namespace temper::cpu {

struct Range {
    std::int64_t begin = 0, end = 0;
    std::int64_t size() const { return end - begin; }
};

// Part `index` of `count` even parts of [0, total).
constexpr Range even_part(std::int64_t total, std::int64_t index, std::int64_t count) { return {total * index / count, total * (index + 1) / count}; }

struct Partition {
    std::int64_t rows = 0, blocks = 1, groups = 1;

    Partition(const Stream& stream, std::int64_t row_count, std::int64_t depth) : rows(row_count) {
        // Tiles want many rows a panel; their product cuts the depth itself (gemm_amx_body.h).
        const bool tiles = stream.isa() == Isa::amx;
        constexpr std::int64_t block_bytes = 256 << 10;
        const std::int64_t threads = stream.threads(), least_rows = tiles ? 256 : 48, most_rows = tiles ? 256 : 240;
        const std::int64_t fitting = block_bytes / (depth * static_cast<std::int64_t>(sizeof(bf16)));
        const std::int64_t block = std::clamp(fitting, least_rows, most_rows);
        blocks = std::max<std::int64_t>(1, (rows + block - 1) / block);
        if (rows >= threads * least_rows) blocks = (blocks + threads - 1) / threads * threads;
        else groups = (threads + blocks - 1) / blocks;
    }
    Range rows_of(std::int64_t block) const { return even_part(rows, block, blocks); }
    // Groups begin at even panels: the kernels take panels by two.
    Range panels_of(std::int64_t group, std::int64_t panels) const {
        const Range pairs = even_part((panels + 1) / 2, group, groups);
        return {pairs.begin * 2, std::min(pairs.end * 2, panels)};
    }
};

// `g`, given for all rows and panels, cut down to some of them.
inline GemmBlock part_of(GemmBlock g, Range rows, Range panels) {
    g.rows = rows.size();
    g.a += rows.begin * g.a_stride;
    if (g.s != nullptr) g.s += rows.begin * g.s_stride;
    if (g.residual != nullptr) g.residual += rows.begin * g.residual_stride;
    g.out = static_cast<char*>(g.out) + rows.begin * g.out_stride * static_cast<std::int64_t>(g.out_f32 ? sizeof(float) : sizeof(bf16));
    g.panel_begin = panels.begin;
    g.panel_end = panels.end;
    return g;
}

// `g`, given for all panels, cut down to some whose weights lie at `weights`.
inline GemmBlock columns_of(GemmBlock g, Range panels, const bf16* weights) {
    const std::int64_t first = panels.begin * kPanelColumns;
    g.columns -= first;
    g.panels = weights;
    if (g.scale != nullptr) g.scale += first;
    if (g.bias != nullptr) g.bias += first;
    if (g.residual != nullptr) g.residual += first;
    if (g.borders != nullptr) g.borders += panels.begin;
    g.out = static_cast<char*>(g.out) + first * static_cast<std::int64_t>(g.out_f32 ? sizeof(float) : sizeof(bf16));
    return g;
}

}  // namespace temper::cpu
