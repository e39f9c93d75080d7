// Masks of LoRA dropout: factors 0 or 1 / (1 - p) of single elements of x, a pure function of (seed, step, row, token, module, column), so that
// a mask is made again wherever and whenever it is needed. Integers alone decide: every instruction set makes the same masks.
#pragma once
#include <cstdint>

#include "kernels/ops.h"

namespace temper::cpu {

// The mask of one token for one module. Eight columns share a block of random bits, 16 bits each.
struct MaskRow {
    std::uint64_t key = 0, stream = 0, module = 0;
    std::uint32_t dropped = 0;  // an element is dropped where its 16 bits are below
    float kept = 1.0f;          // what the others are multiplied by
};
MaskRow mask_row(const Dropout& dropout, std::int64_t row, std::int64_t module);

// factors[i] for columns first + i, i < count; first is a multiple of 8.
void mask_factors(Isa isa, float* factors, std::int64_t first, std::int64_t count, const MaskRow& mask);
void mask_factors_scalar(float* factors, std::int64_t first, std::int64_t count, const MaskRow& mask);
void mask_factors_avx2(float* factors, std::int64_t first, std::int64_t count, const MaskRow& mask);
void mask_factors_avx512(float* factors, std::int64_t first, std::int64_t count, const MaskRow& mask);

// to = x * factors of one row, `columns` numbers; `factors` is working memory for as many.
void drop_row(Isa isa, float* to, const float* x, float* factors, std::int64_t columns, const MaskRow& mask);
// The same in bfloat16; factors has room for 2 * columns.
void drop_row(Isa isa, bf16* to, const bf16* x, float* factors, std::int64_t columns, const MaskRow& mask);

}  // namespace temper::cpu
