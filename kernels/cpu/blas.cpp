#include "kernels/cpu/blas.h"

#include <algorithm>
#include <cstring>

#include <cblas.h>

#include "kernels/cpu/gemm_f32.h"
#include "kernels/cpu/pack.h"

namespace temper::cpu {
namespace {

constexpr std::int64_t kRows = 64, kDepth = 512;  // of a block: its operands stay in the second-level cache

// to (count, to_stride) = transpose of from (width, from_stride), both of what fits into a block.
void transpose(float* to, std::int64_t to_stride, const float* from, std::int64_t from_stride, std::int64_t count, std::int64_t width) {
    constexpr std::int64_t step = 16;  // lines of both sides stay in the first-level cache
    for (std::int64_t first = 0; first < count; first += step)
        for (std::int64_t column = 0; column < width; ++column)
            for (std::int64_t row = first; row < std::min(count, first + step); ++row)
                to[row * to_stride + column] = from[column * from_stride + row];
}

// Rows [first, first + depth) of 16 columns of the right operand, times alpha; columns behind the last are zero.
void pack_panel(float* to, const Matrix& right, std::int64_t first, std::int64_t depth, std::int64_t column, std::int64_t columns, float alpha) {
    if (columns < kPanelColumns) std::fill_n(to, depth * kPanelColumns, 0.0f);
    if (right.transposed) {
        transpose(to, kPanelColumns, right.data + column * right.stride + first, right.stride, depth, columns);
    } else {
        const float* const from = right.data + first * right.stride + column;
        for (std::int64_t k = 0; k < depth; ++k)
            std::memcpy(to + k * kPanelColumns, from + k * right.stride, static_cast<std::size_t>(columns) * sizeof(float));
    }
    if (alpha != 1.0f)
        for (std::int64_t i = 0; i < depth * kPanelColumns; ++i) to[i] *= alpha;
}

void scale_out(float* out, std::int64_t stride, std::int64_t m, std::int64_t n, float beta) {
    for (std::int64_t row = 0; row < m; ++row)
        for (std::int64_t column = 0; column < n; ++column) out[row * stride + column] = beta == 0.0f ? 0.0f : beta * out[row * stride + column];
}

}  // namespace

void use_one_thread() {
    static const bool once = [] {
        openblas_set_num_threads(1);
        return true;
    }();
    static_cast<void>(once);
}

void multiply(float* out, std::int64_t out_stride, Matrix left, Matrix right, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
              float beta) {
    static const Isa isa = best_isa();
    if (k == 0 || (beta != 0.0f && beta != 1.0f)) scale_out(out, out_stride, m, n, beta);
    alignas(64) float panel[kDepth * kPanelColumns];
    alignas(64) float rows[kRows * kDepth];
    for (std::int64_t first_row = 0; first_row < m; first_row += kRows) {
        for (std::int64_t first = 0; first < k; first += kDepth) {
            GemmF32 block;
            block.rows = std::min(kRows, m - first_row);
            block.depth = std::min(kDepth, k - first);
            block.panels = panel;
            block.panel_end = 1;
            block.out_stride = block.residual_stride = out_stride;
            if (left.transposed) {
                transpose(rows, kDepth, left.data + first * left.stride + first_row, left.stride, block.rows, block.depth);
                block.a = rows;
                block.a_stride = kDepth;
            } else {
                block.a = left.data + first_row * left.stride + first;
                block.a_stride = left.stride;
            }
            for (std::int64_t column = 0; column < n; column += kPanelColumns) {
                block.columns = std::min(kPanelColumns, n - column);
                pack_panel(panel, right, first, block.depth, column, block.columns, alpha);
                block.out = out + first_row * out_stride + column;
                block.goes_on = first > 0;
                block.residual = first == 0 && beta != 0.0f ? block.out : nullptr;
                gemm_f32(isa, block);
            }
        }
    }
}

void multiply_vector(float* out, const float* matrix, std::int64_t stride, const float* vector, std::int64_t m, std::int64_t k) {
    use_one_thread();
    if (m == 0) return;
    cblas_sgemv(CblasRowMajor, CblasNoTrans, static_cast<blasint>(m), static_cast<blasint>(k), 1.0f, matrix, static_cast<blasint>(stride), vector, 1,
                0.0f, out, 1);
}

}  // namespace temper::cpu
