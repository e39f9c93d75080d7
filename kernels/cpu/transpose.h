// Panels of the transposed matrix, made from panels of the matrix: the weight is kept packed once, for y = x W^T, and d_x = d_y W wants
// its columns as depths. A block of 16 x 16 numbers is an 8 x 8 matrix of 64-bit units of 2 x 2 numbers in both layouts (pack.h), so
// that transposing moves units and turns each of them.
#pragma once
#include "kernels/cpu/pack.h"
#include "kernels/cpu/partition.h"

namespace temper::cpu {

// Panels `columns` of the transposed matrix, with the panels `depths` of `from` as their depth, to `to`, `to_stride` numbers from panel
// to panel, the first being panel columns.begin. Depths beyond the panels of `from` are zero.
void transpose_panels(Isa isa, bf16* to, std::int64_t to_stride, const Panels& from, Range columns, Range depths);

constexpr std::int64_t kTransposeBlock = kPanelColumns * kPanelColumns;

// `count` blocks of 16 x 16 numbers: from `from`, `from_stride` apart, to `to`, side by side.
void transpose_blocks_scalar(bf16* to, const bf16* from, std::int64_t from_stride, std::int64_t count);
void transpose_blocks_avx512(bf16* to, const bf16* from, std::int64_t from_stride, std::int64_t count);

}  // namespace temper::cpu
