// Adapter gradients of every leaf: d_A = d_s^T x and d_B = d_y^T s, sums over the leaf's tokens in ascending order from its first. A leaf gives the
// same bits wherever it lies and whoever else is in the call.
#pragma once
#include "kernels/cuda/linear_rows.h"

namespace temper::cuda {

struct LeafOperands {
    View d_adapter;  // (leaves, P) f32
    View d_s, x;     // (N, border), (N, in)
    View s, d_y;     // (N, border), (N, out)
};

// d_A of the slots [first, end), which read the same x. Operands are packed (whole packs of columns, aligned), numbers behind rank_total or out may be
// anything.
void sum_a(Stream& stream, const BorderedLinear& w, const LeafOperands& operands, Span<const Leaf> leaves, std::size_t first, std::size_t end);
// d_B of all slots.
void sum_b(Stream& stream, const BorderedLinear& w, const LeafOperands& operands, Span<const Leaf> leaves);

}  // namespace temper::cuda
