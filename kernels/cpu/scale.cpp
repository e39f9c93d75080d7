// Elementwise maps of whole rows, in place.
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/loss_rows.h"
#include "kernels/cpu/row_loop.h"
#include "kernels/cpu/rows.h"

namespace temper::cpu {

void scale_rows(Stream& stream, View x, Span<const float> factors) {
    const std::int64_t width = x.size(1);
    for_rows(stream, x.size(0), width, [&](std::int64_t i) {
        const float factor = factors[static_cast<std::size_t>(i)];
        if (x.dtype == DType::bf16) row_kernels<bf16>(stream.isa()).scale(x.row<bf16>(i), width, factor);
        else row_kernels<float>(stream.isa()).scale(x.row<float>(i), width, factor);
    });
}

void scale(Stream& stream, View x, float factor) {
    const std::int64_t width = x.size(1);
    for_rows(stream, x.size(0), width, [&](std::int64_t i) {
        if (x.dtype == DType::bf16) row_kernels<bf16>(stream.isa()).scale(x.row<bf16>(i), width, factor);
        else row_kernels<float>(stream.isa()).scale(x.row<float>(i), width, factor);
    });
}

void softcap(Stream& stream, View x, float cap) {
    for_rows(stream, x.size(0), 4 * x.size(1), [&](std::int64_t i) { loss_kernels(stream.isa()).cap(x.row<float>(i), nullptr, x.size(1), cap); });
}

}  // namespace temper::cpu
