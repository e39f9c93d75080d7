// The bfloat16 matrix product that every linear layer is made of: out = a * B (+ s * border), accumulated in float32 over ascending
// depth, both segments in the same registers. One call is the work of one thread.
// Row law: an element of `out` is one chain of multiply-adds over its own row and column; how rows and columns are grouped into
// register tiles never changes it. Between instruction sets bits may differ (they pair and flush differently).
#pragma once
#include <cstdint>

#include "kernels/stream.h"
#include "kernels/tensor.h"

namespace temper::cpu {

constexpr std::int64_t kPanelColumns = 16;  // columns of a weight panel: one 512-bit register of floats, one AMX tile
constexpr std::int64_t kDepthStep = 32;     // depths are padded with zeros to a multiple: one AMX tile of bfloat16

// The second segment of one panel: out += s[:, begin : begin + depth] * data. data is laid out as a panel; depth 0: none.
struct Border {
    const bf16* data = nullptr;
    std::int64_t begin = 0, depth = 0;
};

struct GemmBlock {
    std::int64_t rows = 0, columns = 0;           // columns: of the whole output; the last panel may be partly beyond them
    std::int64_t panel_begin = 0, panel_end = 0;  // the panels to compute
    std::int64_t depth = 0;                       // multiple of kDepthStep
    const bf16* a = nullptr;                      // (rows, depth)
    std::int64_t a_stride = 0;
    const bf16* panels = nullptr;   // [panel][depth / 2][16][2]
    std::int64_t panel_stride = 0;  // elements from panel to panel
    const bf16* s = nullptr;        // (rows, any)
    std::int64_t s_stride = 0;
    const Border* borders = nullptr;  // one a panel; null: no second segment
    void* out = nullptr;              // (rows, columns)
    std::int64_t out_stride = 0;
    bool out_f32 = false;            // else bfloat16, rounded once at the end
    bool accumulate = false;         // out_f32 only: go on from what `out` holds (a depth cut into chunks)
    const float* scale = nullptr;    // (columns) or none; out = product * scale + bias + residual
    const float* bias = nullptr;     // (columns) or none
    const bf16* residual = nullptr;  // (rows, columns) or none; may be `out`
    std::int64_t residual_stride = 0;
};

void gemm(Isa isa, const GemmBlock& block);

// Whether a panel and the next read the same columns of s: then they may share a register tile.
static inline bool same_border(const GemmBlock& g, std::int64_t panel) {
    return g.borders == nullptr || (g.borders[panel].begin == g.borders[panel + 1].begin && g.borders[panel].depth == g.borders[panel + 1].depth);
}

void gemm_scalar(const GemmBlock& block);
void gemm_avx2(const GemmBlock& block);
void gemm_avx512(const GemmBlock& block);
void gemm_avx512_bf16(const GemmBlock& block);
void gemm_amx(const GemmBlock& block);

}  // namespace temper::cpu
