// RMS norm, one row or one head of a row at a time; overwrites y and d_x. The weight is frozen and has no gradient.
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/row_loop.h"
#include "kernels/cpu/rows.h"

namespace temper::cpu {
namespace {

// What is normed: whole rows of (N, D), or the heads of (N, H, d).
struct Groups {
    std::int64_t count, in_row, width;
    explicit Groups(const View& x) : count(x.size(0) * (x.rank == 3 ? x.size(1) : 1)), in_row(x.rank == 3 ? x.size(1) : 1), width(x.size(-1)) {}
    template <class T> T* at(const View& view, std::int64_t i) const { return view.empty() ? nullptr : view.row<T>(i / in_row) + i % in_row * width; }
};

template <class T> void forward(Stream& stream, View y, View x, View weight, float epsilon, View residual) {
    const RowKernels<T>& kernels = row_kernels<T>(stream.isa());
    const Groups groups(x);
    for_rows(stream, groups.count, groups.width, [&](std::int64_t i) {
        kernels.rms_norm(groups.at<T>(y, i), groups.at<T>(x, i), weight.as<float>(), groups.at<T>(residual, i), groups.width, epsilon);
    });
}

template <class T> void backward(Stream& stream, View d_x, View d_y, View x, View weight, float epsilon, View d_residual) {
    const RowKernels<T>& kernels = row_kernels<T>(stream.isa());
    const Groups groups(x);
    for_rows(stream, groups.count, 2 * groups.width, [&](std::int64_t i) {
        kernels.rms_norm_backward(groups.at<T>(d_x, i), groups.at<T>(d_y, i), groups.at<T>(x, i), weight.as<float>(), groups.at<T>(d_residual, i),
                                  groups.width, epsilon);
    });
}

}  // namespace

void rms_norm(Stream& stream, View y, View x, View weight, float epsilon, View residual) {
    if (x.dtype == DType::bf16) forward<bf16>(stream, y, x, weight, epsilon, residual);
    else forward<float>(stream, y, x, weight, epsilon, residual);
}

void rms_norm_backward(Stream& stream, View d_x, View d_y, View x, View weight, float epsilon, View d_residual) {
    if (x.dtype == DType::bf16) backward<bf16>(stream, d_x, d_y, x, weight, epsilon, d_residual);
    else backward<float>(stream, d_x, d_y, x, weight, epsilon, d_residual);
}

}  // namespace temper::cpu
