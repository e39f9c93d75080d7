// The product of 8-bit integers that Int8Linear is made of: out = (a * B) * scale + bias + residual. One call is the work of one thread. Sums are
// exact in 32 bits, and what follows is the same sequence of roundings everywhere: all instruction sets agree in every bit.
#pragma once
#include <cstdint>

#include "kernels/cpu/gemm.h"

namespace temper::cpu {

constexpr std::int64_t kByteStep = 64;  // depths are padded with zeros to a multiple: one AMX tile of bytes

template <class T> struct GemmInt8 {
    std::int64_t rows = 0, columns = 0;           // columns: of the whole output; the last panel may be partly beyond them
    std::int64_t panel_begin = 0, panel_end = 0;  // the panels to compute
    std::int64_t depth = 0;                       // multiple of kByteStep
    int parts = 1;                                // rows of `a` that make a row of the output: 256 * the first + the second
    const std::uint8_t* a = nullptr;              // (rows * parts, depth) numbers as the instruction set wants them
    std::int64_t a_bytes = 0;                     // from row to row
    const std::int8_t* panels = nullptr;          // [panel][depth / 4][16][4]
    const std::int32_t* offsets = nullptr;        // (panels * 16): what 128 more in every number of `a` adds
    const float* scale = nullptr;                 // (columns)
    const float* bias = nullptr;                  // (columns) or none
    const T* residual = nullptr;                  // (rows, columns) or none; may be `out`
    std::int64_t residual_stride = 0;
    T* out = nullptr;  // (rows, columns)
    std::int64_t out_stride = 0;
};

struct Int8Kernels {
    std::int64_t number_bytes;  // of a number of `a`
    // to = round(x * multipliers), at most `most` away from 0 (a NaN is -most), then zeros up to `depth`: parts(most) rows of `a`.
    void (*quantize_f32)(std::uint8_t* to, const float* x, const float* multipliers, std::int64_t n, std::int64_t depth, std::int32_t most);
    void (*quantize_bf16)(std::uint8_t* to, const std::uint16_t* x, const float* multipliers, std::int64_t n, std::int64_t depth, std::int32_t most);
    void (*gemm_f32)(const GemmInt8<float>& block);
    void (*gemm_bf16)(const GemmInt8<std::uint16_t>& block);

    int parts(std::int32_t most) const { return number_bytes == 1 && most > 127 ? 2 : 1; }
};
const Int8Kernels& int8_kernels(Isa isa);

extern const Int8Kernels int8_scalar, int8_avx2, int8_avx512, int8_vnni_avx512, int8_amx;

}  // namespace temper::cpu
