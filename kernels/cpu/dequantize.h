// Quantised weights as bfloat16 panels, a strip at a time: what the products read in place of a weight that is kept packed (prepared.h).
#pragma once
#include "kernels/cpu/pack.h"
#include "kernels/cpu/partition.h"
#include "kernels/quantized.h"

namespace temper {
struct PackedLinear;
}

namespace temper::cpu {

// Panels [panels.begin, panels.end) of y = x W^T, to `to`, the first being panels.begin: the bits that pack_rows_as_columns makes of the
// weight dequantised whole.
void expand_panel(Isa isa, bf16* to, const PackedLinear& weight, std::int64_t panel);
// A step of 32 depths (rows of W) of panels `columns` of the transposed weight, `to_stride` numbers from panel to panel: the bits that
// transpose_panels makes.
void expand_transposed(Isa isa, bf16* to, std::int64_t to_stride, const PackedLinear& weight, Range columns, std::int64_t depth);
// Numbers [begin, begin + count) of a row of the stacked weight.
void expand_row(Isa isa, bf16* to, const PackedLinear& weight, std::int64_t row, std::int64_t begin, std::int64_t count);
void expand_row(float* to, const PackedLinear& weight, std::int64_t row);  // all of it, in float32

// A weight for ops that read all of it in any order: panels, or for float32 rows. Where it is quantised it is expanded to `memory`, of
// expanded_count numbers.
struct WholeWeight {
    Panels panels;
    const float* rows = nullptr;

    static std::int64_t expanded_count(const PackedLinear& weight);
    WholeWeight(const Stream& stream, const PackedLinear& weight, void* memory);
};

// Panels that an op expands at a time, whole pairs; all where the weight is not quantised.
std::int64_t strip_of(const PackedLinear& weight);

// 4-bit: numbers [first, first + count) of the bytes, which lie in one block; map: the block's 16 values.
void expand_nibbles_scalar(bf16* to, const std::uint8_t* data, std::int64_t first, std::int64_t count, const float* map, float absmax);
void expand_nibbles_avx2(bf16* to, const std::uint8_t* data, std::int64_t first, std::int64_t count, const float* map, float absmax);
void expand_nibbles_avx512(bf16* to, const std::uint8_t* data, std::int64_t first, std::int64_t count, const float* map, float absmax);
// 8-bit floats of one scale.
void expand_f8_scalar(bf16* to, const std::uint8_t* data, std::int64_t count, float scale);
void expand_f8_avx2(bf16* to, const std::uint8_t* data, std::int64_t count, float scale);
void expand_f8_avx512(bf16* to, const std::uint8_t* data, std::int64_t count, float scale);

}  // namespace temper::cpu
