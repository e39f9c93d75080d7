// The float32 product of a weight in panels: out = a * B + bias + residual. One call is the work of one thread.
// Row law: an element of `out` is one chain of multiply-adds over ascending depth, then the additions in that order; how rows and columns are grouped
// into register tiles never changes it, and no row is computed that was not asked for.
#pragma once
#include <cstdint>

#include "kernels/cpu/gemm.h"

namespace temper::cpu {

struct GemmF32 {
    std::int64_t rows = 0, columns = 0;           // columns: of the whole output; the last panel may be partly beyond them
    std::int64_t panel_begin = 0, panel_end = 0;  // the panels to compute
    std::int64_t depth = 0;
    const float* a = nullptr;  // (rows, depth)
    std::int64_t a_stride = 0;
    const float* panels = nullptr;    // [panel][depth][16]
    const float* bias = nullptr;      // (columns) or none
    const float* residual = nullptr;  // (rows, columns) or none; may be `out`
    std::int64_t residual_stride = 0;
    bool goes_on = false;  // the chains begin with what `out` holds: of a product that is computed a part of its depth at a time
    float* out = nullptr;  // (rows, columns)
    std::int64_t out_stride = 0;
};

void gemm_f32(Isa isa, const GemmF32& block);

void gemm_f32_scalar(const GemmF32& block);
void gemm_f32_avx2(const GemmF32& block);
void gemm_f32_avx512(const GemmF32& block);

}  // namespace temper::cpu
