// What DoRA and dropout add to the bfloat16 linear layer, and the scratch of its backward pass. Plain LoRA passes by all of this.
#pragma once
#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/dropout.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/scratch.h"

namespace temper::cpu {

constexpr std::int64_t kTransposedBytes = std::int64_t{32} << 20;  // most scratch for the transposed weight: larger ones go strip by strip
constexpr std::int64_t kVariantRows = 64, kVariantColumns = 64;    // of a thread's tile; whole panels

constexpr std::int64_t pair_rows(const Leaf& leaf) { return (leaf.length + 1) / 2; }

// A thread's memory for the variants: some rows of x, d_y and s, and tiles of output in float.
struct VariantTiles {
    bf16 *x = nullptr, *masked = nullptr, *y = nullptr, *s = nullptr;  // (kVariantRows, padded in | in | out | s_stride)
    float *factors = nullptr, *base = nullptr, *sum = nullptr;         // (2 in), (kVariantRows, kVariantColumns) twice

    static std::size_t bytes(const PackedLinear& w) {
        return 2 * ScratchCuts::bytes<bf16>(kVariantRows * w.weight.depth) + ScratchCuts::bytes<bf16>(kVariantRows * round_up(w.out, kDepthStep)) +
               ScratchCuts::bytes<bf16>(kVariantRows * w.s_stride) + ScratchCuts::bytes<float>(2 * w.in) +
               2 * ScratchCuts::bytes<float>(kVariantRows * kVariantColumns);
    }
    VariantTiles(char* memory, const PackedLinear& w) {
        ScratchCuts cuts(memory);
        x = cuts.take<bf16>(kVariantRows * w.weight.depth);
        masked = cuts.take<bf16>(kVariantRows * w.weight.depth);
        y = cuts.take<bf16>(kVariantRows * round_up(w.out, kDepthStep));
        s = cuts.take<bf16>(kVariantRows * w.s_stride);
        factors = cuts.take<float>(2 * w.in);
        base = cuts.take<float>(kVariantRows * kVariantColumns);
        sum = cuts.take<float>(kVariantRows * kVariantColumns);
    }
};

// Panels of d_x that are computed at a time: those whose part of the transposed weight fits.
inline std::int64_t strip_panels(std::int64_t in, std::int64_t out) {
    const std::int64_t panel_bytes = round_up(out, kDepthStep) * kPanelColumns * static_cast<std::int64_t>(sizeof(bf16));
    return std::min(panels_of(in), std::max<std::int64_t>(2, kTransposedBytes / panel_bytes / 2 * 2));
}

// d_s and inner_s have the inner layout of s (prepared.h).
struct BackwardWork {
    std::int64_t y_depth = 0, slot_depth = 0, pairs = 0;  // 0: not needed
    bf16* d_y = nullptr;                                  // (N, y_depth): d_y padded, where out is no multiple of 32; with DoRA g d_y
    bf16* slot = nullptr;                                 // (N, slot_depth): one slot's columns of d_y, where there are slots of odd sizes
    bf16* d_s = nullptr;                                  // (N, s_stride)
    std::uint32_t* d_s_pairs = nullptr;                   // (pairs, s_columns): two tokens a number, leaf by leaf (leaf_sum.h)
    std::uint32_t* s_pairs = nullptr;
    std::int64_t* pair_begin = nullptr;  // (leaves)
    bf16* transposed = nullptr;          // a strip of W^T as panels of depth `out`
    // Variants alone:
    std::int64_t x_depth = 0;
    bf16* plain_d_y = nullptr;  // (N, y_depth): d_y padded, DoRA under dropout
    bf16* x = nullptr;          // (N, x_depth): x, or x under the masks of one slot
    bf16* inner_s = nullptr;    // (N, s_stride): DoRA
    Panels weight;              // DoRA, see WholeWeight
    char* thread_memory = nullptr;
    std::size_t thread_bytes = 0;

    BackwardWork(Stream& stream, const PackedLinear& w, std::int64_t n, Span<const Leaf> leaves, bool wants_d_x, bool drops) {
        const bool adapted = !w.adapters.empty(), varied = drops || w.dora;
        if (w.dora || (wants_d_x && w.out % kDepthStep != 0)) y_depth = round_up(w.out, kDepthStep);
        for (const AdapterSlot& slot_ : w.adapters)
            if (slot_.out_size % kDepthStep != 0) slot_depth = std::max(slot_depth, round_up(slot_.out_size, kDepthStep));
        if (adapted)
            for (const Leaf& leaf : leaves) pairs += pair_rows(leaf);
        const std::int64_t d_s_count = adapted ? n * w.s_stride : 0, leaf_count = static_cast<std::int64_t>(leaves.size());
        if (varied) x_depth = w.weight.depth;
        const std::int64_t plain_count = drops && w.dora ? n * y_depth : 0, inner_s_count = w.dora ? n * w.s_stride : 0;
        thread_bytes = varied ? VariantTiles::bytes(w) : 0;
        const std::int64_t expanded_count = w.dora ? WholeWeight::expanded_count(w) : 0;
        const std::int64_t transposed_count = wants_d_x ? strip_panels(w.in, w.out) * kPanelColumns * round_up(w.out, kDepthStep) : 0;
        ScratchCuts cuts(stream, ScratchCuts::bytes<bf16>(n * y_depth) + ScratchCuts::bytes<bf16>(n * slot_depth) +
                                     ScratchCuts::bytes<bf16>(d_s_count) + 2 * ScratchCuts::bytes<std::uint32_t>(pairs * w.s_columns) +
                                     ScratchCuts::bytes<std::int64_t>(leaf_count) + ScratchCuts::bytes<bf16>(transposed_count) +
                                     ScratchCuts::bytes<bf16>(plain_count) + ScratchCuts::bytes<bf16>(n * x_depth) +
                                     ScratchCuts::bytes<bf16>(inner_s_count) + ScratchCuts::bytes<bf16>(expanded_count) +
                                     static_cast<std::size_t>(stream.threads()) * thread_bytes);
        d_y = cuts.take<bf16>(n * y_depth);
        slot = cuts.take<bf16>(n * slot_depth);
        d_s = cuts.take<bf16>(d_s_count);
        d_s_pairs = cuts.take<std::uint32_t>(pairs * w.s_columns);
        s_pairs = cuts.take<std::uint32_t>(pairs * w.s_columns);
        pair_begin = cuts.take<std::int64_t>(leaf_count);
        transposed = cuts.take<bf16>(transposed_count);
        plain_d_y = cuts.take<bf16>(plain_count);
        x = cuts.take<bf16>(n * x_depth);
        inner_s = cuts.take<bf16>(inner_s_count);
        bf16* const expanded = cuts.take<bf16>(expanded_count);
        if (w.dora) weight = WholeWeight(stream, w, expanded).panels;
        thread_memory = cuts.take<char>(0);
        std::int64_t next = 0;
        for (std::size_t i = 0; i < leaves.size(); ++i) {
            pair_begin[i] = next;
            next += pair_rows(leaves[i]);
        }
    }
    VariantTiles tiles(const PackedLinear& w, int thread) const {
        return VariantTiles(thread_memory + static_cast<std::size_t>(thread) * thread_bytes, w);
    }
};

// Rows of the caller's s from the inner one, without its padding.
void copy_s(View s, const bf16* from, const PackedLinear& w, Range rows);
// y = x W^T + adapters under dropout, with or without DoRA.
void linear_masked_bf16(Stream& stream, View y, View x, const PackedLinear& w, View s, const Epilogue& epilogue, const Dropout& dropout);

// Rows of a padded array times the scales of their columns.
void scale_columns(bf16* values, std::int64_t stride, const float* scale, std::int64_t columns, Range rows);
// d_x of a strip of panels from the masked products alone; the unmasked one is added to it.
void masked_input_gradient(const Stream& stream, const PackedLinear& w, const BackwardWork& work, View d_x, Range strip, const Dropout& dropout);
// Rows of x into work.x, padded, under the masks of a slot where there is dropout.
View fill_x(const Stream& stream, const PackedLinear& w, const BackwardWork& work, std::size_t slot, View x, const Dropout& dropout);
void fill_inner_s(const Stream& stream, const PackedLinear& w, const BackwardWork& work, View s);
// d_m of one slot, one row of d_adapter a leaf; x as fill_x gives it.
void magnitude_gradients(const Stream& stream, const PackedLinear& w, const BackwardWork& work, std::size_t slot, View d_adapter, View d_y, View x,
                         Span<const Leaf> leaves);

}  // namespace temper::cpu
