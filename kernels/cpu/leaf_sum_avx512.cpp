// Tiles of up to 8 ranks x 32 columns; two token rows are interleaved on the way from memory.
#include "kernels/cpu/leaf_sum.h"

#include "kernels/cpu/bf16_avx512.h"

namespace temper::cpu {
namespace {

constexpr std::int64_t kRanks = 8, kColumns = 32, kLanes = 16;

__m512i interleave_index(int first) {
    alignas(64) std::uint16_t index[32];
    for (int i = 0; i < 16; ++i) {
        index[2 * i] = static_cast<std::uint16_t>(first + i);
        index[2 * i + 1] = static_cast<std::uint16_t>(first + i + 32);
    }
    return _mm512_load_si512(index);
}

void store(const LeafSum& g, const float* values, std::int64_t rank, std::int64_t column, std::int64_t count) {
    float* const out = g.out + rank * g.rank_step + column * g.column_step;
    for (std::int64_t i = 0; i < count; ++i) out[i * g.column_step] = values[i];
}

template <class Product, int Ranks> void tile(const LeafSum& g, std::int64_t rank, std::int64_t column) {
    const std::int64_t left_columns = g.columns - column, count = left_columns < kColumns ? left_columns : kColumns;
    const __mmask32 mask = static_cast<__mmask32>((std::uint64_t{1} << count) - 1u);
    const __m512i lower = interleave_index(0), upper = interleave_index(16);
    __m512 sum[Ranks][2];
#pragma GCC unroll 8
    for (int r = 0; r < Ranks; ++r) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    for (std::int64_t t = 0; t < g.tokens; t += 2) {
        const bf16* const row = g.right + t * g.right_stride + column;
        const __m512i first = _mm512_maskz_loadu_epi16(mask, row);
        const __m512i second = t + 1 < g.tokens ? _mm512_maskz_loadu_epi16(mask, row + g.right_stride) : _mm512_setzero_si512();
        const typename Product::Operand b[2] = {Product::operand(_mm512_permutex2var_epi16(first, lower, second)),
                                                Product::operand(_mm512_permutex2var_epi16(first, upper, second))};
        const std::uint32_t* const left = g.left + t / 2 * g.left_stride + rank;
#pragma GCC unroll 8
        for (int r = 0; r < Ranks; ++r) {
            const typename Product::Operand pair = Product::operand(broadcast_pair(left + r));
            sum[r][0] = Product::add(sum[r][0], pair, b[0]);
            sum[r][1] = Product::add(sum[r][1], pair, b[1]);
        }
    }
    alignas(64) float values[Ranks][kColumns];
#pragma GCC unroll 8
    for (int r = 0; r < Ranks; ++r) {
        _mm512_store_ps(values[r], sum[r][0]);
        _mm512_store_ps(values[r] + kLanes, sum[r][1]);
    }
    for (int r = 0; r < Ranks; ++r) store(g, values[r], rank + r, column, count);
}

using Tile = void (*)(const LeafSum&, std::int64_t rank, std::int64_t column);

template <class Product>
constexpr Tile kTiles[kRanks] = {tile<Product, 1>, tile<Product, 2>, tile<Product, 3>, tile<Product, 4>,
                                 tile<Product, 5>, tile<Product, 6>, tile<Product, 7>, tile<Product, 8>};

template <class Product> void all_tiles(const LeafSum& g) {
    for (std::int64_t column = 0; column < g.columns; column += kColumns)
        for (std::int64_t rank = 0; rank < g.ranks; rank += kRanks)
            kTiles<Product>[(g.ranks - rank < kRanks ? g.ranks - rank : kRanks) - 1](g, rank, column);
}

}  // namespace

void leaf_sum_avx512(const LeafSum& sum) { all_tiles<WidenedProduct>(sum); }
void leaf_sum_avx512_bf16(const LeafSum& sum) { all_tiles<PairProduct>(sum); }

}  // namespace temper::cpu
