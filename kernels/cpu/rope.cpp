// Rotary embedding in place; the inverse rotation is the backward pass.
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/row_loop.h"
#include "kernels/cpu/rows.h"

namespace temper::cpu {
namespace {

template <class T> void rotate(Stream& stream, View x, View positions, const RopeTable& table, bool inverse) {
    const RowKernels<T>& kernels = row_kernels<T>(stream.isa());
    const std::int64_t heads = x.size(1), d = x.size(2);
    const std::int32_t* position = positions.as<std::int32_t>();
    const float sign = inverse ? -1.0f : 1.0f;
    for_rows(stream, x.size(0), heads * d, [&](std::int64_t i) {
        kernels.rope(x.row<T>(i), table.cosine.row<float>(position[i]), table.sine.row<float>(position[i]), heads, d, table.cosine.size(1), sign);
    });
}

}  // namespace

void rope(Stream& stream, View x, View positions, RopeTable table, bool inverse) {
    if (x.dtype == DType::bf16) rotate<bf16>(stream, x, positions, table, inverse);
    else rotate<float>(stream, x, positions, table, inverse);
}

}  // namespace temper::cpu
