// The twin that the vector kernels are tested against: the same definition, one element at a time.
#include "kernels/cpu/gemm.h"

namespace temper::cpu {
namespace {

float dot(float sum, const bf16* a, const bf16* panel_column, std::int64_t depth) {
    for (std::int64_t k = 0; k < depth; ++k) sum += from_bf16(a[k]) * from_bf16(panel_column[(k / 2) * 2 * kPanelColumns + k % 2]);
    return sum;
}

}  // namespace

void gemm_scalar(const GemmBlock& g) {
    for (std::int64_t row = 0; row < g.rows; ++row) {
        for (std::int64_t column = g.panel_begin * kPanelColumns; column < g.panel_end * kPanelColumns && column < g.columns; ++column) {
            const std::int64_t panel = column / kPanelColumns, lane = column % kPanelColumns * 2;
            float* const out_f32 = static_cast<float*>(g.out) + row * g.out_stride + column;
            float sum = dot(g.accumulate ? *out_f32 : 0.0f, g.a + row * g.a_stride, g.panels + panel * g.panel_stride + lane, g.depth);
            if (g.borders != nullptr) {
                const Border& border = g.borders[panel];
                if (border.depth > 0) sum = dot(sum, g.s + row * g.s_stride + border.begin, border.data + lane, border.depth);
            }
            if (g.scale != nullptr) sum *= g.scale[column];
            if (g.bias != nullptr) sum += g.bias[column];
            if (g.residual != nullptr) sum += from_bf16(g.residual[row * g.residual_stride + column]);
            if (g.out_f32) *out_f32 = sum;
            else static_cast<bf16*>(g.out)[row * g.out_stride + column] = to_bf16(sum);
        }
    }
}

}  // namespace temper::cpu
