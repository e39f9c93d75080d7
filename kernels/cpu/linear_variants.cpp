#include "kernels/cpu/linear_variants.h"

#include <cstring>

#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/row_loop.h"

namespace temper::cpu {
namespace {

constexpr std::int64_t kVariantPanels = kVariantColumns / kPanelColumns;

constexpr std::int64_t blocks_of(std::int64_t rows) { return (rows + kVariantRows - 1) / kVariantRows; }

Range block_rows(std::int64_t block, std::int64_t rows) { return {block * kVariantRows, std::min(rows, (block + 1) * kVariantRows)}; }

// Rows of x under the masks of one slot, padded to the weight's depth.
void drop_rows(Isa isa, bf16* to, View x, const PackedLinear& w, std::size_t slot, const Dropout& dropout, float* factors, Range rows) {
    const std::int64_t depth = w.weight.depth;
    for (std::int64_t row = rows.begin; row < rows.end; ++row, to += depth) {
        drop_row(isa, to, x.row<bf16>(row), factors, w.in, mask_row(dropout, row, w.adapters[slot].module));
        std::memset(to + w.in, 0, static_cast<std::size_t>(depth - w.in) * sizeof(bf16));
    }
}

// Some panels of y = a W^T (+ s B^T), in float, into a thread's tile.
void product_tile(Isa isa, float* out, const PackedLinear& w, const Panels& weight, const bf16* a, std::int64_t a_stride, const bf16* s,
                  std::int64_t rows, Range panels) {
    GemmBlock g;
    g.rows = rows;
    g.columns = std::min(w.out - panels.begin * kPanelColumns, panels.size() * kPanelColumns);
    g.panel_end = panels.size();
    g.depth = w.weight.depth;
    g.a = a;
    g.a_stride = a_stride;
    g.panels = weight.data + panels.begin * weight.stride();
    g.panel_stride = weight.stride();
    if (s != nullptr) {
        g.s = s;
        g.s_stride = w.s_stride;
        g.borders = w.b_forward.data() + panels.begin;
    }
    g.out = out;
    g.out_stride = kVariantColumns;
    g.out_f32 = true;
    gemm(isa, g);
}

// The panels that a slot's outputs lie in, a few at a time.
Range panels_of_group(const AdapterSlot& slot, std::int64_t group) {
    const std::int64_t first = slot.out_begin / kPanelColumns, end = panels_of(slot.out_begin + slot.out_size);
    return {first + group * kVariantPanels, std::min(end, first + (group + 1) * kVariantPanels)};
}

std::int64_t groups_of(const AdapterSlot& slot) {
    const std::int64_t panels = panels_of(slot.out_begin + slot.out_size) - slot.out_begin / kPanelColumns;
    return (panels + kVariantPanels - 1) / kVariantPanels;
}

// Columns of a group of panels that belong to the slot.
Range columns_of(const AdapterSlot& slot, Range panels) {
    return {std::max(slot.out_begin, panels.begin * kPanelColumns), std::min(slot.out_begin + slot.out_size, panels.end * kPanelColumns)};
}

// s of one slot for some rows: scale * x' A^T, beside the other slots'.
void slot_products(Isa isa, bf16* inner_s, const bf16* masked, const PackedLinear& w, std::size_t slot, std::int64_t rows) {
    GemmBlock g;
    g.rows = rows;
    g.columns = round_up(w.adapters[slot].rank, kPanelColumns);
    g.panel_end = panels_of(g.columns);
    g.depth = w.a_forward.depth;
    g.a = masked;
    g.a_stride = w.weight.depth;
    g.panels = w.a_forward.data + w.slot_begin[slot] / kPanelColumns * w.a_forward.stride();
    g.panel_stride = w.a_forward.stride();
    g.out = inner_s + w.slot_begin[slot];
    g.out_stride = w.s_stride;
    g.scale = w.s_scale + w.slot_begin[slot];
    gemm(isa, g);
}

// DoRA under dropout: y += g (x' W^T + s B^T) - x' W^T of one slot.
void add_masked_dora(Isa isa, View y, const PackedLinear& w, const Panels& weight, std::size_t slot, const VariantTiles& tiles, Range rows) {
    for (std::int64_t group = 0; group < groups_of(w.adapters[slot]); ++group) {
        const Range panels = panels_of_group(w.adapters[slot], group), columns = columns_of(w.adapters[slot], panels);
        product_tile(isa, tiles.base, w, weight, tiles.masked, w.weight.depth, nullptr, rows.size(), panels);
        product_tile(isa, tiles.sum, w, weight, tiles.masked, w.weight.depth, tiles.s, rows.size(), panels);
        for (std::int64_t r = 0; r < rows.size(); ++r) {
            bf16* const out = y.row<bf16>(rows.begin + r);
            for (std::int64_t c = columns.begin; c < columns.end; ++c) {
                const std::int64_t at = r * kVariantColumns + c - panels.begin * kPanelColumns;
                out[c] = to_bf16(from_bf16(out[c]) + (w.column_scale[c] * tiles.sum[at] - tiles.base[at]));
            }
        }
    }
}

void linear_masked_rows(Isa isa, View y, View x, const PackedLinear& w, const Panels& weight, View s, const Epilogue& epilogue,
                        const Dropout& dropout, const VariantTiles& tiles, Range rows) {
    const bool padded = w.weight.depth != w.in;
    std::memset(tiles.s, 0, static_cast<std::size_t>(rows.size() * w.s_stride) * sizeof(bf16));
    for (std::size_t i = 0; i < w.adapters.size(); ++i) {
        drop_rows(isa, tiles.masked, x, w, i, dropout, tiles.factors, rows);
        slot_products(isa, tiles.s, tiles.masked, w, i, rows.size());
    }
    if (!s.empty()) copy_s(s.rows(rows.begin, rows.size()), tiles.s, w, {0, rows.size()});
    if (padded) copy_padded(tiles.x, w.weight.depth, x.rows(rows.begin, rows.size()), 0, w.in, {0, rows.size()});
    GemmBlock product;
    product.rows = rows.size();
    product.columns = w.out;
    product.panel_end = panels_of(w.out);
    product.depth = w.weight.depth;
    product.a = padded ? tiles.x : x.row<bf16>(rows.begin);
    product.a_stride = padded ? w.weight.depth : x.row_stride();
    product.panels = weight.data;
    product.panel_stride = weight.stride();
    product.out = y.row<bf16>(rows.begin);
    product.out_stride = y.row_stride();
    product.bias = w.bias;
    if (!w.dora) {
        product.s = tiles.s;
        product.s_stride = w.s_stride;
        product.borders = w.b_forward.data();
    }
    if (epilogue.kind == Epilogue::Kind::residual) {
        product.residual = epilogue.residual.row<bf16>(rows.begin);
        product.residual_stride = epilogue.residual.row_stride();
    }
    gemm(isa, product);
    for (std::size_t i = 0; i < w.adapters.size() && w.dora; ++i) {
        drop_rows(isa, tiles.masked, x, w, i, dropout, tiles.factors, rows);
        add_masked_dora(isa, y, w, weight, i, tiles, rows);
    }
    finish_rows(isa, y, epilogue, rows);
}

}  // namespace

void linear_masked_bf16(Stream& stream, View y, View x, const PackedLinear& w, View s, const Epilogue& epilogue, const Dropout& dropout) {
    const std::int64_t n = x.size(0);
    const std::size_t bytes = VariantTiles::bytes(w);
    const std::int64_t expanded_count = WholeWeight::expanded_count(w);
    ScratchCuts cuts(stream, ScratchCuts::bytes<bf16>(expanded_count) + static_cast<std::size_t>(stream.threads()) * bytes);
    const WholeWeight whole(stream, w, cuts.take<bf16>(expanded_count));
    char* const memory = cuts.take<char>(0);
    parallel_for(stream, blocks_of(n), [&](std::int64_t block, int thread) {
        const VariantTiles tiles(memory + static_cast<std::size_t>(thread) * bytes, w);
        linear_masked_rows(stream.isa(), y, x, w, whole.panels, s, epilogue, dropout, tiles, block_rows(block, n));
    });
}

void scale_columns(bf16* values, std::int64_t stride, const float* scale, std::int64_t columns, Range rows) {
    for (std::int64_t row = rows.begin; row < rows.end; ++row)
        for (std::int64_t c = 0; c < columns; ++c) values[row * stride + c] = to_bf16(from_bf16(values[row * stride + c]) * scale[c]);
}

namespace {

// Of one slot: its columns of d_s, and with DoRA of g d_y - d_y, zeros beside them.
void pick_slot(const PackedLinear& w, const BackwardWork& work, std::size_t i, const VariantTiles& tiles, Range rows) {
    const AdapterSlot& slot = w.adapters[i];
    std::memset(tiles.s, 0, static_cast<std::size_t>(rows.size() * w.s_stride) * sizeof(bf16));
    for (std::int64_t r = 0; r < rows.size(); ++r)
        std::memcpy(tiles.s + r * w.s_stride + w.slot_begin[i], work.d_s + (rows.begin + r) * w.s_stride + w.slot_begin[i],
                    static_cast<std::size_t>(slot.rank) * sizeof(bf16));
    if (!w.dora) return;
    std::memset(tiles.y, 0, static_cast<std::size_t>(rows.size() * work.y_depth) * sizeof(bf16));
    for (std::int64_t r = 0; r < rows.size(); ++r)
        for (std::int64_t c = slot.out_begin; c < slot.out_begin + slot.out_size; ++c) {
            const std::int64_t at = (rows.begin + r) * work.y_depth + c;
            tiles.y[r * work.y_depth + c] = to_bf16(from_bf16(work.plain_d_y[at]) * (w.column_scale[c] - 1.0f));
        }
}

// Some panels of the masked part of one slot: d_s A, with DoRA + (g d_y - d_y) W.
void slot_input_gradient(Isa isa, const PackedLinear& w, const BackwardWork& work, const VariantTiles& tiles, std::int64_t rows, Range strip,
                         Range panels) {
    GemmBlock g;
    g.rows = rows;
    g.columns = std::min(w.in - panels.begin * kPanelColumns, panels.size() * kPanelColumns);
    g.panel_end = panels.size();
    if (w.dora) {
        g.depth = work.y_depth;
        g.a = tiles.y;
        g.a_stride = work.y_depth;
        g.panel_stride = work.y_depth * kPanelColumns;
        g.panels = work.transposed + (panels.begin - strip.begin) * g.panel_stride;
        g.s = tiles.s;
        g.s_stride = w.s_stride;
        g.borders = w.a_borders.data() + panels.begin;
    } else {
        g.depth = w.a_backward.depth;
        g.a = tiles.s;
        g.a_stride = w.s_stride;
        g.panel_stride = w.a_backward.stride();
        g.panels = w.a_backward.data + panels.begin * g.panel_stride;
    }
    g.out = tiles.base;
    g.out_stride = kVariantColumns;
    g.out_f32 = true;
    gemm(isa, g);
}

}  // namespace

void masked_input_gradient(const Stream& stream, const PackedLinear& w, const BackwardWork& work, View d_x, Range strip, const Dropout& dropout) {
    const std::int64_t n = d_x.size(0), groups = (strip.size() + kVariantPanels - 1) / kVariantPanels;
    parallel_for(stream, blocks_of(n) * groups, [&](std::int64_t item, int thread) {
        const VariantTiles tiles = work.tiles(w, thread);
        const Range rows = block_rows(item / groups, n);
        const Range panels{strip.begin + item % groups * kVariantPanels, std::min(strip.end, strip.begin + (item % groups + 1) * kVariantPanels)};
        const std::int64_t first = panels.begin * kPanelColumns, columns = std::min(w.in - first, panels.size() * kPanelColumns);
        std::memset(tiles.sum, 0, static_cast<std::size_t>(kVariantRows * kVariantColumns) * sizeof(float));
        for (std::size_t i = 0; i < w.adapters.size(); ++i) {
            pick_slot(w, work, i, tiles, rows);
            slot_input_gradient(stream.isa(), w, work, tiles, rows.size(), strip, panels);
            for (std::int64_t r = 0; r < rows.size(); ++r) {
                mask_factors(stream.isa(), tiles.factors, first, columns, mask_row(dropout, rows.begin + r, w.adapters[i].module));
                for (std::int64_t c = 0; c < columns; ++c)
                    tiles.sum[r * kVariantColumns + c] += tiles.factors[c] * tiles.base[r * kVariantColumns + c];
            }
        }
        for (std::int64_t r = 0; r < rows.size(); ++r)
            for (std::int64_t c = 0; c < columns; ++c) d_x.row<bf16>(rows.begin + r)[first + c] = to_bf16(tiles.sum[r * kVariantColumns + c]);
    });
}

View fill_x(const Stream& stream, const PackedLinear& w, const BackwardWork& work, std::size_t slot, View x, const Dropout& dropout) {
    const std::int64_t n = x.size(0);
    View filled(work.x, DType::bf16, {n, w.in});
    filled.stride[0] = work.x_depth;
    parallel_for(stream, blocks_of(n), [&](std::int64_t block, int thread) {
        const Range rows = block_rows(block, n);
        if (dropout.active()) drop_rows(stream.isa(), work.x + rows.begin * work.x_depth, x, w, slot, dropout, work.tiles(w, thread).factors, rows);
        else copy_padded(work.x, work.x_depth, x, 0, w.in, rows);
    });
    return filled;
}

void fill_inner_s(const Stream& stream, const PackedLinear& w, const BackwardWork& work, View s) {
    for_rows(stream, s.size(0), w.s_stride, [&](std::int64_t row) {
        bf16* const to = work.inner_s + row * w.s_stride;
        std::memset(to, 0, static_cast<std::size_t>(w.s_stride) * sizeof(bf16));
        for (std::size_t i = 0; i < w.adapters.size(); ++i)
            std::memcpy(to + w.slot_begin[i], s.row<bf16>(row) + w.rank_begin[i], static_cast<std::size_t>(w.adapters[i].rank) * sizeof(bf16));
    });
}

// Per leaf, the sum over its tokens, in their order, of d_y (x W^T + s B^T) / norm.
void magnitude_gradients(const Stream& stream, const PackedLinear& w, const BackwardWork& work, std::size_t slot, View d_adapter, View d_y, View x,
                         Span<const Leaf> leaves) {
    const AdapterSlot& adapter = w.adapters[slot];
    const Panels weight = work.weight;
    parallel_for(stream, groups_of(adapter), [&](std::int64_t group, int thread) {
        const VariantTiles tiles = work.tiles(w, thread);
        const Range panels = panels_of_group(adapter, group), columns = columns_of(adapter, panels);
        const std::int64_t first = panels.begin * kPanelColumns;
        for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) {
            double sums[kVariantColumns] = {};
            const std::int64_t end = leaves[leaf].begin + leaves[leaf].length;
            for (std::int64_t begin = leaves[leaf].begin; begin < end; begin += kVariantRows) {
                const std::int64_t rows = std::min(kVariantRows, end - begin);
                product_tile(stream.isa(), tiles.base, w, weight, x.row<bf16>(begin), x.row_stride(), work.inner_s + begin * w.s_stride, rows,
                             panels);
                for (std::int64_t r = 0; r < rows; ++r)
                    for (std::int64_t c = columns.begin; c < columns.end; ++c)
                        sums[c - first] += static_cast<double>(from_bf16(d_y.row<bf16>(begin + r)[c])) *
                                           static_cast<double>(tiles.base[r * kVariantColumns + c - first]);
            }
            float* const out = d_adapter.row<float>(static_cast<std::int64_t>(leaf)) + adapter.offset_m - adapter.out_begin;
            for (std::int64_t c = columns.begin; c < columns.end; ++c)
                out[c] = w.norm[c] > 0.0f ? static_cast<float>(sums[c - first]) / w.norm[c] : 0.0f;
        }
    });
}

}  // namespace temper::cpu
