// The tile registers as amx_tiles.h wants them. Only for *_amx.cpp: everything is local to the file.
// Instructions are written out: the compiler's macros take tile numbers only as literals, and its LDTILECFG claims to read 8 of the
// 64 bytes, so that the stores that fill the others may be dropped (seen with g++ 12). Here the whole structure is the operand.
// With TEMPER_AMX_EMULATED, the name of a header, the tiles are those of that header: a test program on a processor that has none.
#pragma once
#include "kernels/cpu/amx_tiles.h"

#ifdef TEMPER_AMX_EMULATED
#include TEMPER_AMX_EMULATED
#else

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
    template <int C, int A, int B> static void multiply() { __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B)); }
    template <int C, int A, int B> static void multiply_bytes() {
        __asm__ volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B));
    }
};

}  // namespace
}  // namespace temper::cpu

#endif
