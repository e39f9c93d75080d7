// gemm_amx_body.h on the tile registers. Needs AMX-TILE, AMX-BF16 (with the permission that best_isa() asks for) and AVX512_BF16.
// Instructions are written out: the compiler's macros take tile numbers only as literals, and its LDTILECFG claims to read 8 of the
// 64 bytes, so that the stores that fill the others may be dropped (seen with g++ 12). Here the whole structure is the operand.
#include "kernels/cpu/gemm_amx_body.h"
#include "kernels/cpu/gemm_store_avx512.h"

namespace temper::cpu {
namespace {

struct TileRegisters {
    static void configure(const TileConfig& config) { __asm__ volatile("ldtilecfg %0" : : "m"(config) : "memory"); }
    static void release() { __asm__ volatile("tilerelease" : : : "memory"); }
    template <int T> static void zero() { __asm__ volatile("tilezero %%tmm%c0" : : "i"(T)); }
    template <int T> static void load(const void* memory, std::int64_t stride) {
        __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(memory), "r"(stride), "i"(T) : "memory");
    }
    template <int T> static void stream(const void* memory, std::int64_t stride) {
        __asm__ volatile("tileloaddt1 (%0,%1,1), %%tmm%c2" : : "r"(memory), "r"(stride), "i"(T) : "memory");
    }
    template <int T> static void store(void* memory, std::int64_t stride) {
        __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(memory), "r"(stride), "i"(T) : "memory");
    }
    template <int C, int A, int B> static void multiply() {
        __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B));
    }
};

struct VectorRows {
    static void load(const GemmBlock& g, std::int64_t row, std::int64_t panel, float* sums) {
        const float* const from = static_cast<const float*>(g.out) + row * g.out_stride + panel * kPanelColumns;
        _mm512_store_ps(sums, _mm512_maskz_loadu_ps(columns_of(g, panel), from));
    }
    static void store(const GemmBlock& g, std::int64_t row, std::int64_t panel, const float* sums) {
        cpu::store<PairProduct>(g, _mm512_load_ps(sums), row, panel, columns_of(g, panel));
    }
};

}  // namespace

void gemm_amx(const GemmBlock& block) { gemm_amx_on<TileRegisters, VectorRows>(block); }

}  // namespace temper::cpu
