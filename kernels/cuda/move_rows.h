// Rows from one array in device memory to another, of either dtype; a bfloat16 target takes float32 rounded.
#pragma once
#include "kernels/span.h"
#include "kernels/stream.h"

namespace temper::cuda {

// Numbers of the host as an (n) view in device memory, for the op that asks (Context::upload).
View upload_rows(Stream& stream, Span<const std::int32_t> rows);

// to row i = from row i, zeros where `to` is wider.
void move_rows(Stream& stream, View to, View from);
// to row i = from row rows[i], zeros where `to` is wider.
void gather_rows(Stream& stream, View to, View from, View rows);
// to row rows[i] = from row i.
void scatter_rows(Stream& stream, View to, View from, View rows);
void zero_rows(Stream& stream, View to);

}  // namespace temper::cuda
