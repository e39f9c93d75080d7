#include <algorithm>
#include <cstring>

#include "kernels/cpu/leaf_sum.h"
#include "kernels/cpu/linear_variants.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/transpose.h"

namespace temper::cpu {
namespace {

constexpr std::int64_t chunks_of(std::int64_t columns) { return (columns + kLeafColumns - 1) / kLeafColumns; }

std::uint32_t pair_of(bf16 lower, bf16 upper) { return static_cast<std::uint32_t>(upper) << 16 | lower; }

// d_s = scale * d_y B of some rows, slot by slot.
void slot_gradients(Isa isa, const PackedLinear& w, const BackwardWork& work, View d_y, Range rows) {
    if (w.adapters.empty()) return;
    for (std::size_t i = 0; i < w.adapters.size(); ++i) {
        const AdapterSlot& slot = w.adapters[i];
        GemmBlock g;
        g.columns = round_up(slot.rank, kPanelColumns);
        g.depth = w.b_backward[i].depth;
        g.a = d_y.as<bf16>() + slot.out_begin;
        g.a_stride = d_y.row_stride();
        if (g.depth != slot.out_size) {
            copy_padded(work.slot, work.slot_depth, d_y, slot.out_begin, slot.out_size, rows);
            g.a = work.slot;
            g.a_stride = work.slot_depth;
        }
        g.panels = w.b_backward[i].data;
        g.panel_stride = w.b_backward[i].stride();
        g.out = work.d_s + w.slot_begin[i];
        g.out_stride = w.s_stride;
        g.scale = w.s_scale + w.slot_begin[i];
        gemm(isa, part_of(g, rows, {0, panels_of(slot.rank)}));
    }
    for (std::int64_t row = rows.begin; row < rows.end; ++row)
        std::memset(work.d_s + row * w.s_stride + w.s_columns, 0, static_cast<std::size_t>(w.s_stride - w.s_columns) * sizeof(bf16));
}

// d_x = d_y W + d_s A, the panels of one strip.
GemmBlock input_gradient(const PackedLinear& w, const BackwardWork& work, View d_x, View d_y, Range strip, bool drops) {
    const std::int64_t first = strip.begin * kPanelColumns;
    GemmBlock g;
    g.columns = w.in - first;
    g.depth = round_up(w.out, kDepthStep);
    g.a = work.y_depth > 0 ? work.d_y : d_y.as<bf16>();
    g.a_stride = work.y_depth > 0 ? work.y_depth : d_y.row_stride();
    g.panels = work.transposed;
    g.panel_stride = g.depth * kPanelColumns;
    g.out = d_x.as<bf16>() + first;
    g.out_stride = d_x.row_stride();
    if (drops) {
        // What went through the masks lies in d_x already.
        if (work.plain_d_y != nullptr && w.dora) g.a = work.plain_d_y;
        g.residual = static_cast<bf16*>(g.out);
        g.residual_stride = g.out_stride;
    } else if (!w.adapters.empty()) {
        g.s = work.d_s;
        g.s_stride = w.s_stride;
        g.borders = w.a_borders.data() + strip.begin;
    }
    return g;
}

// Rows of d_s and s, two tokens of a leaf side by side.
void interleave(const PackedLinear& w, const BackwardWork& work, View s, const Leaf& leaf, std::int64_t first_pair) {
    for (std::int64_t t = 0; t < leaf.length; t += 2) {
        const std::int64_t token = leaf.begin + t, pair = (first_pair + t / 2) * w.s_columns;
        const bool whole = t + 1 < leaf.length;
        for (std::size_t i = 0; i < w.adapters.size(); ++i) {
            const bf16* const d_s = work.d_s + token * w.s_stride + w.slot_begin[i];
            const bf16* const kept = s.row<bf16>(token) + w.rank_begin[i];
            std::uint32_t *const d_s_pairs = work.d_s_pairs + pair + w.slot_begin[i], *const s_pairs = work.s_pairs + pair + w.slot_begin[i];
            for (std::int64_t r = 0; r < w.adapters[i].rank; ++r) {
                d_s_pairs[r] = pair_of(d_s[r], whole ? d_s[w.s_stride + r] : bf16{0});
                s_pairs[r] = pair_of(kept[r], whole ? kept[s.row_stride() + r] : bf16{0});
            }
        }
    }
}

constexpr std::int64_t chunks_of_slot(const PackedLinear& w, std::size_t i) { return chunks_of(w.in) + chunks_of(w.adapters[i].out_size); }

// One thread's item of a slot's leaf sums: some columns of d_A (columns of x) or of d_B (columns of d_y, written transposed).
void leaf_gradient(Isa isa, const PackedLinear& w, const BackwardWork& work, const Leaf& leaf, std::int64_t first_pair, float* gradients, View x,
                   View d_y, std::size_t i, std::int64_t chunk) {
    const AdapterSlot& slot = w.adapters[i];
    const bool is_a = chunk < chunks_of(w.in);
    const std::int64_t columns = is_a ? w.in : slot.out_size, first = (is_a ? chunk : chunk - chunks_of(w.in)) * kLeafColumns;
    const std::int64_t offset = first_pair * w.s_columns + w.slot_begin[i];
    LeafSum sum;
    sum.tokens = leaf.length;
    sum.ranks = slot.rank;
    sum.columns = std::min(kLeafColumns, columns - first);
    sum.left = (is_a ? work.d_s_pairs : work.s_pairs) + offset;
    sum.left_stride = w.s_columns;
    sum.right = is_a ? x.row<bf16>(leaf.begin) + first : d_y.row<bf16>(leaf.begin) + slot.out_begin + first;
    sum.right_stride = is_a ? x.row_stride() : d_y.row_stride();
    sum.rank_step = is_a ? w.in : 1;
    sum.column_step = is_a ? 1 : slot.rank;
    sum.out = gradients + (is_a ? slot.offset_a + first : slot.offset_b + first * slot.rank);
    leaf_sum(isa, sum);
}

void interleave_leaves(const Stream& stream, const PackedLinear& w, const BackwardWork& work, View s, Span<const Leaf> leaves) {
    parallel_for(stream, static_cast<std::int64_t>(leaves.size()),
                 [&](std::int64_t leaf) { interleave(w, work, s, leaves[static_cast<std::size_t>(leaf)], work.pair_begin[leaf]); });
}

void leaf_gradients(Stream& stream, const PackedLinear& w, const BackwardWork& work, View d_adapter, View d_y, View x, Span<const Leaf> leaves) {
    std::int64_t chunks = 0;
    for (std::size_t i = 0; i < w.adapters.size(); ++i) chunks += chunks_of_slot(w, i);
    parallel_for(stream, static_cast<std::int64_t>(leaves.size()) * chunks, [&](std::int64_t item) {
        const std::int64_t leaf = item / chunks;
        std::int64_t chunk = item % chunks;
        std::size_t i = 0;
        for (; chunk >= chunks_of_slot(w, i); ++i) chunk -= chunks_of_slot(w, i);
        leaf_gradient(stream.isa(), w, work, leaves[static_cast<std::size_t>(leaf)], work.pair_begin[leaf], d_adapter.row<float>(leaf), x, d_y, i,
                      chunk);
    });
}

// Where x is masked or there are magnitudes, slot by slot. d_y as the loss sees it, scaled as the adapters do.
void variant_gradients(Stream& stream, const PackedLinear& w, const BackwardWork& work, View d_adapter, View d_y, View scaled, View x, View s,
                       Span<const Leaf> leaves, const Dropout& dropout) {
    if (w.dora) fill_inner_s(stream, w, work, s);
    View rows;
    for (std::size_t i = 0; i < w.adapters.size(); ++i) {
        if (dropout.active() || i == 0) rows = fill_x(stream, w, work, i, x, dropout);
        const std::int64_t chunks = chunks_of_slot(w, i);
        parallel_for(stream, static_cast<std::int64_t>(leaves.size()) * chunks, [&](std::int64_t item) {
            const std::int64_t leaf = item / chunks;
            leaf_gradient(stream.isa(), w, work, leaves[static_cast<std::size_t>(leaf)], work.pair_begin[leaf], d_adapter.row<float>(leaf), rows,
                          scaled, i, item % chunks);
        });
        if (w.adapters[i].offset_m >= 0) magnitude_gradients(stream, w, work, i, d_adapter, d_y, rows, leaves);
    }
}

}  // namespace

void linear_backward(Stream& stream, View d_x, View d_adapter, View d_y, const PackedLinear& weight, View x, View s, Span<const Leaf> leaves,
                     const Dropout& dropout) {
    if (weight.dtype == DType::f32) linear_backward_f32(stream, d_x, d_adapter, d_y, weight, x, s, leaves, dropout);
    else linear_backward_bf16(stream, d_x, d_adapter, d_y, weight, x, s, leaves, dropout);
}

void linear_backward_bf16(Stream& stream, View d_x, View d_adapter, View d_y, const PackedLinear& w, View x, View s, Span<const Leaf> leaves,
                          const Dropout& dropout) {
    const std::int64_t n = d_y.size(0), depth = round_up(w.out, kDepthStep), width = strip_panels(w.in, w.out);
    const bool wants_d_x = !d_x.empty(), drops = dropout.active();
    const Isa isa = stream.isa();
    const BackwardWork work(stream, w, n, leaves, wants_d_x, drops);
    const Partition partition(stream, n, depth);
    // What reaches W and the adapters: with DoRA the gradient of the product before its columns are scaled.
    View scaled = d_y;
    if (w.dora) {
        scaled = View(work.d_y, DType::bf16, {n, w.out});
        scaled.stride[0] = work.y_depth;
    }
    parallel_for(stream, partition.blocks, [&](std::int64_t block) {
        const Range rows = partition.rows_of(block);
        if (work.y_depth > 0) copy_padded(work.d_y, work.y_depth, d_y, 0, w.out, rows);
        if (drops && w.dora) copy_padded(work.plain_d_y, work.y_depth, d_y, 0, w.out, rows);
        if (w.dora) scale_columns(work.d_y, work.y_depth, w.column_scale, w.out, rows);
        slot_gradients(isa, w, work, scaled, rows);
    });
    for (std::int64_t first = 0; wants_d_x && first < panels_of(w.in); first += width) {
        const Range strip{first, std::min(first + width, panels_of(w.in))};
        const GemmBlock product = input_gradient(w, work, d_x, d_y, strip, drops);
        if (w.is_quantized())
            parallel_for(stream, depth / kDepthStep,
                         [&](std::int64_t step) { expand_transposed(isa, work.transposed, product.panel_stride, w, strip, step * kDepthStep); });
        else
            parallel_for(stream, strip.size(), [&](std::int64_t panel) {
                transpose_panels(isa, work.transposed + panel * product.panel_stride, 0, w.weight, {first + panel, first + panel + 1},
                                 {0, depth / kPanelColumns});
            });
        if (drops) masked_input_gradient(stream, w, work, d_x, strip, dropout);
        parallel_for(stream, partition.blocks * partition.groups, [&](std::int64_t item) {
            const std::int64_t block = item / partition.groups, group = item % partition.groups;
            gemm(isa, part_of(product, partition.rows_of(block), partition.panels_of(group, strip.size())));
        });
    }
    if (w.adapters.empty()) return;
    interleave_leaves(stream, w, work, s, leaves);
    if (drops || w.dora) variant_gradients(stream, w, work, d_adapter, d_y, scaled, x, s, leaves, dropout);
    else leaf_gradients(stream, w, work, d_adapter, d_y, x, leaves);
}

namespace {

std::size_t backward_scratch_f32(std::int64_t tokens, std::int64_t out, std::int64_t in, std::int64_t rank_total, int threads,
                                 ops::LinearVariant variant) {
    // Whole tiles of 64 rows and 384 columns, see linear_f32.cpp and linear_backward_f32.cpp.
    constexpr std::int64_t tile = 64, columns = 384;
    const std::int64_t rows = (tokens + tile - 1) / tile * tile;
    std::int64_t count = rows * rank_total + threads * tile * columns + 2 * tile * out + tile * in;
    if (variant.dora || variant.dropout) count += rows * in + threads * (in + tile * columns);  // x, masked where there is dropout
    if (variant.dora) count += rows * (out + rank_total);                                       // d_y g, and s
    if (variant.dropout) count += threads * (tile * (in + 2 * columns) + (variant.dora ? tile * out : 0));
    return static_cast<std::size_t>(count) * sizeof(float);
}

}  // namespace

std::size_t linear_backward_scratch(DType dtype, std::int64_t tokens, std::int64_t out, std::int64_t in, std::int64_t rank_total, int threads,
                                    ops::LinearVariant variant) {
    if (dtype == DType::f32)
        return backward_scratch_f32(tokens, out, in, rank_total, threads, variant) + (variant.quantized ? ScratchCuts::bytes<float>(out * in) : 0);
    const std::int64_t depth = round_up(out, kDepthStep),
                       s_columns = round_up(rank_total, kPanelColumns) + 3 * kPanelColumns;  // slots are rounded one by one
    std::size_t bytes = ScratchCuts::bytes<bf16>(strip_panels(in, out) * kPanelColumns * depth);
    // Quantised: with variants all of the weight, else a strip in the forward pass, which is about as large as the transposed one; x padded.
    if (variant.quantized) {
        const std::int64_t panels = variant.dora || variant.dropout ? panels_of(out) : strip_panels(out, in);
        const std::size_t forward = ScratchCuts::bytes<bf16>(panels * kPanelColumns * round_up(in, kDepthStep)) +
                                    (in % kDepthStep != 0 ? ScratchCuts::bytes<bf16>(tokens * round_up(in, kDepthStep)) : 0);
        bytes = variant.dora ? bytes + forward : std::max(bytes, forward);
    }
    if (depth != out || variant.dora) bytes += 2 * ScratchCuts::bytes<bf16>(tokens * depth);
    if (variant.dora || variant.dropout) {
        const std::int64_t x_depth = round_up(in, kDepthStep);
        bytes += ScratchCuts::bytes<bf16>(tokens * x_depth) +
                 static_cast<std::size_t>(threads) * static_cast<std::size_t>(kVariantRows * (2 * x_depth + depth + s_columns) * 2 + 8 * in + 32768);
    }
    if (variant.dora) bytes += ScratchCuts::bytes<bf16>(tokens * (s_columns + kDepthStep));
    return bytes + ScratchCuts::bytes<bf16>(tokens * (s_columns + kDepthStep)) + ScratchCuts::bytes<std::uint32_t>(tokens * s_columns);
}

}  // namespace temper::cpu
