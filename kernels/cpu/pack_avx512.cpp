#include "kernels/cpu/pack.h"

#include "kernels/cpu/vector_avx512.h"

namespace temper::cpu {

void pack_panel_avx512(bf16* to, const bf16* const* rows, std::int64_t count, std::int64_t depth) {
    for (std::int64_t k = 0; k < depth; k += kDepthStep) {
        const std::int64_t left = depth - k;
        const __mmask32 mask = left >= kDepthStep ? ~static_cast<__mmask32>(0) : (static_cast<__mmask32>(1) << left) - 1;
        Vec square[kPanelColumns];
        for (std::int64_t j = 0; j < kPanelColumns; ++j)
            square[j] = {j < count ? _mm512_castsi512_ps(_mm512_maskz_loadu_epi16(mask, rows[j] + k)) : _mm512_setzero_ps()};
        Vec::transpose(square);
        for (std::int64_t i = 0; i < kDepthStep / 2; ++i) _mm512_storeu_ps(to + (k / 2 + i) * 2 * kPanelColumns, square[i].v);
    }
}

}  // namespace temper::cpu
