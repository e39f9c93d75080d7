// Passes over rows that the linear layer makes beside its matrix products.
#pragma once
#include "kernels/cuda/bordered.h"
#include "kernels/ops.h"

namespace temper::cuda {

constexpr std::int64_t kRowsAtOnce = 4096;   // that are copied to scratch where an array has no room for the border
constexpr std::int64_t kVariantRows = 1024;  // that have float32 outputs in scratch: DoRA, dropout, a bias that bfloat16 does not hold

struct Range {
    std::int64_t begin = 0, end = 0;
    std::int64_t size() const { return end - begin; }
};

// work(first, count) for pieces of a range.
template <class Work> void for_pieces(Range range, std::int64_t step, const Work& work) {
    for (std::int64_t first = range.begin; first < range.end; first += step) work(first, first + step < range.end ? step : range.end - first);
}

// Whether products can read rows as they are: whole packs, aligned.
inline bool is_packed(const View& view) { return view.size(1) % kRowPack == 0 && is_aligned(view); }
// Whether they can be followed by a border in place.
inline bool has_room(const View& view, std::int64_t border) { return is_packed(view) && view.spare >= border; }
// (N, columns + more): the same rows with what lies behind them.
View widened(const View& view, std::int64_t more);

// s = scales * products, rounded, of the first `adapted` rows and the columns `taken` of the border; zero in the rows behind, and no other column is
// touched. to (N, border); s, a second copy, (adapted, at most border) or none.
void spread_s(Stream& stream, View to, View s, View products /*(adapted, border) f32*/, View scales, std::int64_t adapted, Range taken);

// y = wide * scale + bias + residual, rounded once; scale, bias and residual may be empty.
void finish_rows(Stream& stream, View y /*(N, out)*/, View wide /*(N, out) f32*/, View scale, View bias, View residual);

// What of an epilogue remains to be done to y, which holds rounded numbers and has its residual: rotations, activations, norms.
void finish_epilogue(Stream& stream, const View& y, const Epilogue& epilogue);

// to = x under the masks of a module, zeros behind. first_row: of x in the arrays of `dropout`.
void mask_rows(Stream& stream, View to, View x, const Dropout& dropout, std::int64_t first_row, std::int64_t module);

}  // namespace temper::cuda
