// bfloat16 matrices as the right-hand side of a product: panels of 16 columns, [panel][depth / 2][16][2], so that two consecutive
// depths of a column lie side by side, as vdpbf16ps and TDPBF16PS want them. Depth is padded to 32 and columns to 16, with zeros.
#pragma once
#include <cstdint>

#include "kernels/cpu/gemm.h"
#include "kernels/stream.h"
#include "kernels/tensor.h"

namespace temper::cpu {

constexpr std::int64_t round_up(std::int64_t value, std::int64_t step) { return (value + step - 1) / step * step; }
constexpr std::int64_t panels_of(std::int64_t columns) { return (columns + kPanelColumns - 1) / kPanelColumns; }

struct Panels {
    bf16* data = nullptr;
    std::int64_t columns = 0, depth = 0;  // depth already padded

    static std::int64_t elements(std::int64_t columns, std::int64_t depth) {
        return panels_of(columns) * kPanelColumns * round_up(depth, kDepthStep);
    }
    std::int64_t stride() const { return depth * kPanelColumns; }
    bf16& at(std::int64_t k, std::int64_t column) const {
        return data[column / kPanelColumns * stride() + k / 2 * 2 * kPanelColumns + column % kPanelColumns * 2 + k % 2];
    }
};

// Column c of `panels` is row c of the matrix: rows[c][k], k < depth.
void pack_rows_as_columns(const Stream& stream, const Panels& panels, const bf16* const* rows, std::int64_t depth);

// One panel: the first `count` columns from rows of `depth` numbers, the rest of it zero.
void pack_panel_scalar(bf16* to, const bf16* const* rows, std::int64_t count, std::int64_t depth);
void pack_panel_avx512(bf16* to, const bf16* const* rows, std::int64_t count, std::int64_t depth);

}  // namespace temper::cpu
