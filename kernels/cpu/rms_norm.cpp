// RMS norm, one row at a time; overwrites y and d_x. The weight is frozen and has no gradient.
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/row_loop.h"
#include "kernels/cpu/rows.h"

namespace temper::cpu {
namespace {

template <class T> void forward(Stream& stream, View y, View x, View weight, float epsilon) {
    const RowKernels<T>& kernels = row_kernels<T>(stream.isa());
    const std::int64_t width = x.size(-1);
    for_rows(stream, x.size(0), width, [&](std::int64_t i) { kernels.rms_norm(y.row<T>(i), x.row<T>(i), weight.as<float>(), width, epsilon); });
}

template <class T> void backward(Stream& stream, View d_x, View d_y, View x, View weight, float epsilon, View d_residual) {
    const RowKernels<T>& kernels = row_kernels<T>(stream.isa());
    const std::int64_t width = x.size(-1);
    for_rows(stream, x.size(0), 2 * width, [&](std::int64_t i) {
        const T* bypass = d_residual.empty() ? nullptr : d_residual.row<T>(i);
        kernels.rms_norm_backward(d_x.row<T>(i), d_y.row<T>(i), x.row<T>(i), weight.as<float>(), bypass, width, epsilon);
    });
}

}  // namespace

void rms_norm(Stream& stream, View y, View x, View weight, float epsilon) {
    if (x.dtype == DType::bf16) forward<bf16>(stream, y, x, weight, epsilon);
    else forward<float>(stream, y, x, weight, epsilon);
}

void rms_norm_backward(Stream& stream, View d_x, View d_y, View x, View weight, float epsilon, View d_residual) {
    if (x.dtype == DType::bf16) backward<bf16>(stream, d_x, d_y, x, weight, epsilon, d_residual);
    else backward<float>(stream, d_x, d_y, x, weight, epsilon, d_residual);
}

}  // namespace temper::cpu
