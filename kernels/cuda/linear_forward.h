// Scratch of the linear layer's forward pass.
#pragma once
#include <algorithm>

#include "kernels/cuda/linear_rows.h"

namespace temper::cuda {

struct LinearShape {
    DType dtype = DType::f32;
    std::int64_t rows = 0, in = 0, out = 0, border = 0;
    std::int64_t slot_out = 0;  // outputs of the largest slot
    bool has_room = false;      // behind the rows of x
    bool is_staged = false;     // the rows of y are no rows of a product
    bool is_wide = false;       // y is made in float32 first
    bool dora = false, drops = false;
    bool is_quantized = false;
};

struct ForwardWork {
    View matrix;    // of a weight that is quantised
    View input;     // (pieces of rows, in | border): [x | s]
    View products;  // (rows, border) f32: x A^T
    View staged;    // (rows, out): y
    View wide;      // (kVariantRows, out) f32: y before it is rounded
    View masked;    // (kVariantRows, in | border): x under the masks of one slot
    View plain;     // (kVariantRows, slot_out) f32: x' W^T of one slot, DoRA under dropout
    View adapted;   // the same with s B^T

    ForwardWork(Cuts& cuts, const LinearShape& l) {
        if (l.is_quantized) matrix = take_matrix(cuts, l.dtype, l.out, l.in, l.border);
        const bool varied = l.dora || l.drops;
        const std::int64_t in = round_up(l.in, kRowPack), some = std::min(l.rows, kVariantRows);
        const std::int64_t rows = l.has_room && !varied ? l.rows : std::min(l.rows, kRowsAtOnce);
        if (!l.has_room) input = cuts.take(l.dtype, rows, in + l.border);
        products = cuts.take(DType::f32, rows, l.border);
        if (l.is_staged) staged = cuts.take(l.dtype, rows, l.out);
        if (l.is_wide || l.dora) wide = cuts.take(DType::f32, some, l.out);
        if (l.drops) masked = cuts.take(l.dtype, some, in + l.border);
        if (!l.drops || !l.dora) return;
        plain = cuts.take(DType::f32, some, l.slot_out);
        adapted = cuts.take(DType::f32, some, l.slot_out);
    }
};

}  // namespace temper::cuda
