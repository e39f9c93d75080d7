// Needs AMX-TILE and AMX-INT8, which every processor with AMX-BF16 has, and AVX-512.
#include "kernels/cpu/amx_registers.h"
#include "kernels/cpu/gemm_int8_amx_body.h"
#include "kernels/cpu/gemm_int8_stores_avx512.h"
#include "kernels/cpu/vector_avx512.h"

#include "kernels/cpu/gemm_int8_body.h"

namespace temper::cpu {
namespace {

struct TileUnit : ByteStores<std::int8_t, 0> {
    static Vec floats(const std::int32_t* sums, const std::int32_t*) { return {_mm512_cvtepi32_ps(_mm512_loadu_si512(sums))}; }
};

template <class T> void multiply_tiles(const GemmInt8<T>& g) {
    const auto finish = [&g](std::int64_t row, std::int64_t rows, std::int64_t panel, std::int64_t panels, const std::int32_t* sums) {
        constexpr std::int64_t stride = 2 * kTile;
        if (g.parts == 1)
            for (std::int64_t r = 0; r < rows; ++r) store_sums<TileUnit>(g, sums + r * stride, row + r, panel, panels);
        else
            for (std::int64_t r = 0; r < rows; r += 2) {
                alignas(64) std::int32_t joined[stride];
                join_parts(joined, sums + r * stride, sums + (r + 1) * stride, stride);
                store_sums<TileUnit>(g, joined, (row + r) / 2, panel, panels);
            }
    };
    ByteRows<TileRegisters, T, decltype(finish)>(g, finish).run();
}

}  // namespace

const Int8Kernels int8_amx = {1, &quantize_row<TileUnit, float>, &quantize_row<TileUnit, std::uint16_t>, &multiply_tiles<float>,
                              &multiply_tiles<std::uint16_t>};

}  // namespace temper::cpu
