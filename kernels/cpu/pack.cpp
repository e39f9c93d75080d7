#include "kernels/cpu/pack.h"

#include <algorithm>

#include "kernels/cpu/parallel.h"

namespace temper::cpu {

void pack_rows_as_columns(const Stream& stream, const Panels& panels, const bf16* const* rows, std::int64_t depth) {
    const auto pack = stream.isa() >= Isa::avx512 ? pack_panel_avx512 : pack_panel_scalar;
    parallel_for(stream, panels_of(panels.columns), [&](std::int64_t panel) {
        const std::int64_t first = panel * kPanelColumns;
        pack(panels.data + panel * panels.stride(), rows + first, std::min(kPanelColumns, panels.columns - first), depth);
    });
}

void pack_panel_scalar(bf16* to, const bf16* const* rows, std::int64_t count, std::int64_t depth) {
    for (std::int64_t k = 0; k < round_up(depth, kDepthStep); ++k)
        for (std::int64_t j = 0; j < kPanelColumns; ++j)
            to[k / 2 * 2 * kPanelColumns + 2 * j + k % 2] = j < count && k < depth ? rows[j][k] : bf16{0};
}

}  // namespace temper::cpu
