// gemm_amx_body.h on the tile registers. Needs AMX-TILE, AMX-BF16 (with the permission that best_isa() asks for) and AVX512_BF16.
#include "kernels/cpu/amx_registers.h"
#include "kernels/cpu/gemm_amx_body.h"
#include "kernels/cpu/gemm_store_avx512.h"

namespace temper::cpu {
namespace {

struct VectorRows {
    static void load(const GemmBlock& g, std::int64_t row, std::int64_t panel, float* sums) {
        const float* const from = static_cast<const float*>(g.out) + row * g.out_stride + panel * kPanelColumns;
        _mm512_store_ps(sums, _mm512_maskz_loadu_ps(columns_of(g, panel), from));
    }
    template <int Width> static void store(const GemmBlock& g, std::int64_t row, std::int64_t panel, const float* sums) {
        store_row<PairProduct, Width>(g, sums, row, panel);
    }
};

}  // namespace

void gemm_amx(const GemmBlock& block) { gemm_amx_on<TileRegisters, VectorRows>(block); }

}  // namespace temper::cpu
