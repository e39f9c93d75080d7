// What DoRA and dropout add to the backward pass of the linear layer.
#pragma once
#include "kernels/cuda/linear_rows.h"

namespace temper::cuda {

// to = d_y * scale, a factor a column, zeros behind.
void scale_rows_by_columns(Stream& stream, View to, View d_y, View scale);
// to = (scale - 1) * d_y.
void change_of_magnitude(Stream& stream, View to, View d_y, View scale);
// wide += part under the masks of a module. first_row: of wide in the arrays of `dropout`.
void add_masked(Stream& stream, View wide /*(N, in) f32*/, View part /*(N, in) f32*/, const Dropout& dropout, std::int64_t first_row,
                std::int64_t module);
// d_adapter[leaf][offset + c] = sum over the leaf's tokens, in their order, of d_y * product / norm.
void sum_magnitudes(Stream& stream, View d_adapter, std::int64_t offset, View d_y /*(N, columns)*/, View product /*(N, columns) f32*/,
                    View norm /*(columns)*/, Span<const Leaf> leaves);

}  // namespace temper::cuda
