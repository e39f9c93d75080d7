#include "kernels/cpu/pack.h"

#include <algorithm>

#include "kernels/cpu/parallel.h"

namespace temper::cpu {

void pack_rows_as_columns(const Stream& stream, const Panels& panels, const bf16* const* rows, std::int64_t depth) {
    parallel_for(stream, panels_of(panels.columns), [&](std::int64_t panel) {
        const std::int64_t first = panel * kPanelColumns, count = std::min(kPanelColumns, panels.columns - first);
        bf16* const to = panels.data + panel * panels.stride();
        for (std::int64_t k = 0; k < panels.depth; ++k) {
            for (std::int64_t j = 0; j < kPanelColumns; ++j)
                to[k / 2 * 2 * kPanelColumns + 2 * j + k % 2] = j < count && k < depth ? rows[first + j][k] : bf16{0};
        }
    });
}

}  // namespace temper::cpu
