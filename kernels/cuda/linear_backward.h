// Scratch of the linear layer's backward pass.
#pragma once
#include "kernels/cuda/linear_forward.h"

namespace temper::cuda {

constexpr std::int64_t kMagnitudeColumns = 1024;  // of the output that DoRA's magnitudes are found from at a time

struct BackwardShape {
    DType dtype = DType::f32;
    std::int64_t rows = 0, in = 0, out = 0, border = 0;
    std::int64_t slot_out = 0;  // outputs of the largest slot
    bool wants_d_x = false, adapted = false;
    bool y_is_packed = false, y_has_room = false, x_is_packed = false, s_is_packed = false, d_x_is_aligned = false;
    bool dora = false, drops = false;
    bool is_quantized = false;
};

struct BackwardWork {
    View matrix;     // of a weight that is quantised
    View d_y;        // [d_y | d_s]: all rows where they are not packed, or with DoRA g d_y; else pieces, where they have no room
    View plain_d_y;  // (N, out): d_y as it came, where it is not packed, DoRA under dropout
    View d_s;        // (N, border)
    View products;   // (rows, border) f32: d_y B
    View d_x;        // (rows, in), where the caller's is not aligned
    View x;          // (N, in | border): x, where it is not packed; x under the masks of one slot; with DoRA [x | s]
    View s;          // (N, border), where the caller's is not packed
    // Dropout:
    View wide, part;  // (kVariantRows, in) f32: d_x before it is rounded, and what one slot adds
    View only;        // (kVariantRows, border): d_s of one slot
    View change;      // (kVariantRows, slot_out): (g - 1) d_y of one slot, DoRA
    View magnitudes;  // (N, kMagnitudeColumns) f32: x W^T + s B^T, DoRA

    BackwardWork(Cuts& cuts, const BackwardShape& b) {
        if (b.is_quantized) matrix = take_matrix(cuts, b.dtype, b.out, b.in, b.border);
        const std::int64_t in = round_up(b.in, kRowPack), out = round_up(b.out, kRowPack), some = std::min(b.rows, kVariantRows);
        const bool whole = b.dora || !b.y_is_packed, in_place = !whole && (b.y_has_room || !b.wants_d_x);
        const std::int64_t rows = piece(b);
        if (!in_place) d_y = cuts.take(b.dtype, whole ? b.rows : rows, out + b.border);
        if (b.wants_d_x && !b.d_x_is_aligned) d_x = cuts.take(b.dtype, rows, b.in);
        if (!b.adapted) return;
        d_s = cuts.take(b.dtype, b.rows, b.border);
        products = cuts.take(DType::f32, rows, b.border);
        if (!b.x_is_packed || b.dora || b.drops) x = cuts.take(b.dtype, b.rows, in + (b.dora ? b.border : 0));
        if (!b.s_is_packed) s = cuts.take(b.dtype, b.rows, b.border);
        if (b.dora) magnitudes = cuts.take(DType::f32, b.rows, std::min(kMagnitudeColumns, b.slot_out));
        if (!b.drops || !b.wants_d_x) return;
        wide = cuts.take(DType::f32, some, b.in);
        part = cuts.take(DType::f32, some, b.in);
        only = cuts.take(b.dtype, some, b.border);
        if (!b.dora) return;
        change = cuts.take(b.dtype, some, b.slot_out);
        if (!b.y_is_packed) plain_d_y = cuts.take(b.dtype, b.rows, out);
    }
    // Rows that go through at a time.
    static std::int64_t piece(const BackwardShape& b) {
        if (b.drops) return std::min(b.rows, kVariantRows);
        const bool whole = b.dora || !b.y_is_packed || b.y_has_room || !b.wants_d_x;
        return whole && (b.d_x_is_aligned || !b.wants_d_x) ? b.rows : std::min(b.rows, kRowsAtOnce);
    }
};

}  // namespace temper::cuda
