// Tiles of up to 8 ranks x 8 columns; two token rows are interleaved on the way from memory.
#include "kernels/cpu/leaf_sum.h"

#include "kernels/cpu/bf16_avx2.h"

namespace temper::cpu {
namespace {

constexpr std::int64_t kRanks = 8, kColumns = 8;

// Up to 8 numbers of a row, zeros behind them.
__m128i load(const bf16* row, std::int64_t count) {
    alignas(16) bf16 values[kColumns] = {};
    std::memcpy(values, row, static_cast<std::size_t>(count) * sizeof(bf16));
    return _mm_load_si128(reinterpret_cast<const __m128i*>(values));
}

template <int Ranks> void tile(const LeafSum& g, std::int64_t rank, std::int64_t column) {
    const std::int64_t left_columns = g.columns - column, count = left_columns < kColumns ? left_columns : kColumns;
    __m256 sum[Ranks];
#pragma GCC unroll 8
    for (int r = 0; r < Ranks; ++r) sum[r] = _mm256_setzero_ps();
    for (std::int64_t t = 0; t < g.tokens; t += 2) {
        const bf16* const row = g.right + t * g.right_stride + column;
        const __m128i first = load(row, count);
        const __m128i second = t + 1 < g.tokens ? load(row + g.right_stride, count) : _mm_setzero_si128();
        const __m256i b = _mm256_set_m128i(_mm_unpackhi_epi16(first, second), _mm_unpacklo_epi16(first, second));
        const std::uint32_t* const left = g.left + t / 2 * g.left_stride + rank;
#pragma GCC unroll 8
        for (int r = 0; r < Ranks; ++r) sum[r] = add_pair_product(sum[r], broadcast_pair(left + r), b);
    }
#pragma GCC unroll 8
    for (int r = 0; r < Ranks; ++r) {
        alignas(32) float values[kColumns];
        _mm256_store_ps(values, sum[r]);
        float* const out = g.out + (rank + r) * g.rank_step + column * g.column_step;
        for (std::int64_t i = 0; i < count; ++i) out[i * g.column_step] = values[i];
    }
}

using Tile = void (*)(const LeafSum&, std::int64_t rank, std::int64_t column);
constexpr Tile kTiles[kRanks] = {tile<1>, tile<2>, tile<3>, tile<4>, tile<5>, tile<6>, tile<7>, tile<8>};

}  // namespace

void leaf_sum_avx2(const LeafSum& g) {
    for (std::int64_t column = 0; column < g.columns; column += kColumns)
        for (std::int64_t rank = 0; rank < g.ranks; rank += kRanks) kTiles[(g.ranks - rank < kRanks ? g.ranks - rank : kRanks) - 1](g, rank, column);
}

}  // namespace temper::cpu
