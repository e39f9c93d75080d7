// Adapter gradients on AMX tiles: the ranks are the rows of the left operand, tokens its depth, and two token rows of the right operand
// are interleaved to lines of pairs on the way from memory. Up to 32 ranks x 32 columns at a time.
#include "kernels/cpu/leaf_sum.h"

#include "kernels/cpu/vector_avx512.h"

#include "kernels/cpu/amx_registers.h"
#include "kernels/cpu/bf16_avx512.h"

namespace temper::cpu {
namespace {

constexpr std::int64_t kBlock = 2 * kTile;           // ranks and columns
constexpr std::int64_t kStepTokens = 32;             // a tile's depth
constexpr std::int64_t kChunk = 1024, kPanel = 128;  // tokens whose left operand, and whose lines, are held at a time
constexpr std::int64_t kLineBytes = kBlock * 4;      // pairs of 32 columns
constexpr std::int64_t kSumBytes = kBlock * static_cast<std::int64_t>(sizeof(float));

// Rank rows [rank, rank + 32) of the pairs [first, first + kChunk / 2), tokens along the row: zeros behind the last rank and pair.
struct LeftRows {
    alignas(64) std::uint32_t rows[kBlock][kChunk / 2];

    void fill(const LeafSum& g, std::int64_t rank, std::int64_t first, std::int64_t pairs) {
        const std::int64_t ranks = g.ranks - rank;
        for (std::int64_t half = 0; half < kBlock; half += kTile) {
            for (std::int64_t pair = 0; pair < pairs; pair += kTile) {
                Vec square[kTile];
                for (std::int64_t i = 0; i < kTile; ++i) {
                    const std::int64_t here = ranks - half;
                    const bool exists = pair + i < pairs && here > 0;
                    const auto* from = reinterpret_cast<const float*>(g.left + (first + pair + i) * g.left_stride + rank + half);
                    square[i] = !exists ? Vec::zero() : here >= kTile ? Vec::load(from) : Vec::load(from, here);
                }
                Vec::transpose(square);
                for (std::int64_t i = 0; i < kTile; ++i) square[i].store(reinterpret_cast<float*>(&rows[half + i][pair]));
            }
        }
    }
};

// Lines of the tokens [first, first + kPanel) and columns [column, column + 32); zeros behind the last token and column.
struct RightLines {
    alignas(64) std::uint32_t lines[kPanel / 2][kBlock];

    void fill(const LeafSum& g, std::int64_t first, std::int64_t column, __mmask32 mask) {
        alignas(64) std::uint16_t index[2][32];
        for (std::uint16_t i = 0; i < 16; ++i)
            for (std::uint16_t upper = 0; upper < 2; ++upper) {
                index[upper][2 * i] = static_cast<std::uint16_t>(16 * upper + i);
                index[upper][2 * i + 1] = static_cast<std::uint16_t>(16 * upper + i + 32);
            }
        const __m512i lower = _mm512_load_si512(index[0]), upper = _mm512_load_si512(index[1]);
        const std::int64_t left = g.tokens - first, tokens = left < kPanel ? left : kPanel;
        const std::int64_t whole = (tokens + kStepTokens - 1) / kStepTokens * kStepTokens;
        const bf16* row = g.right + first * g.right_stride + column;
        for (std::int64_t t = 0; t < whole; t += 2, row += 2 * g.right_stride) {
            const __m512i a = t < tokens ? _mm512_maskz_loadu_epi16(mask, row) : _mm512_setzero_si512();
            const __m512i b = t + 1 < tokens ? _mm512_maskz_loadu_epi16(mask, row + g.right_stride) : _mm512_setzero_si512();
            _mm512_store_si512(lines[t / 2], _mm512_permutex2var_epi16(a, lower, b));
            _mm512_store_si512(lines[t / 2] + kTile, _mm512_permutex2var_epi16(a, upper, b));
        }
    }
};

template <int RowTiles> void add_chunk(const LeafSum& g, const LeftRows& left, std::int64_t first, std::int64_t column, float* sums) {
    using Block = TileBlock<TileRegisters, RowTiles, 2>;
    const std::int64_t count = g.columns - column;
    const __mmask32 mask = count >= kBlock ? ~static_cast<__mmask32>(0) : (static_cast<__mmask32>(1) << count) - 1;
    const std::int64_t end = g.tokens - first < kChunk ? g.tokens : first + kChunk;
    RightLines right;
    if (first == 0) Block::zero();
    else Block::load(sums, kSumBytes);
    for (std::int64_t t = first; t < end; t += kPanel) {
        right.fill(g, t, column, mask);
        const std::int64_t steps = ((end - t < kPanel ? end - t : kPanel) + kStepTokens - 1) / kStepTokens;
        const TilePanels<2> panels{{right.lines[0], right.lines[0] + kTile}, kLineBytes, kTile * kLineBytes};
        Block::multiply(&left.rows[0][(t - first) / 2], sizeof left.rows[0], panels, steps, [] {});
    }
    Block::store(sums, kSumBytes);
}

}  // namespace

void leaf_sum_amx(const LeafSum& g) {
    alignas(64) float sums[kLeafColumns / kBlock][kBlock][kBlock];
    LeftRows left;
    TileRegisters::configure(config_of(kBlock));
    for (std::int64_t rank = 0; rank < g.ranks; rank += kBlock) {
        for (std::int64_t first = 0; first == 0 || first < g.tokens; first += kChunk) {  // a leaf without tokens gives zeros
            const std::int64_t pairs = (g.tokens - first + 1) / 2;
            left.fill(g, rank, first / 2, pairs < kChunk / 2 ? pairs : kChunk / 2);
            const auto add = g.ranks - rank > kTile ? add_chunk<2> : add_chunk<1>;
            for (std::int64_t column = 0; column < g.columns; column += kBlock) add(g, left, first, column, &sums[column / kBlock][0][0]);
        }
        for (std::int64_t r = rank; r < g.ranks && r < rank + kBlock; ++r)
            for (std::int64_t c = 0; c < g.columns; ++c) g.out[r * g.rank_step + c * g.column_step] = sums[c / kBlock][r - rank][c % kBlock];
    }
    TileRegisters::release();
}

}  // namespace temper::cpu
