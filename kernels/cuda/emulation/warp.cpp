#include "kernels/cuda/emulation/warp.h"

#include <bit>

namespace temper::cuda {
namespace emulation {

unsigned lane_of_running() { return running().self().lane; }

std::uint32_t exchange(Call call, unsigned mask, std::uint32_t mine, unsigned source_lane) {
    const WarpWords& all = running().meet(call, mask, {mine});
    return source_lane < kLanes ? all[source_lane][0] : mine;
}

namespace {

unsigned vote(Call call, unsigned mask, int predicate) {
    const WarpWords& all = running().meet(call, mask, {predicate != 0 ? 1u : 0u});
    unsigned votes = 0;
    for (unsigned lane = 0; lane < kLanes; ++lane) votes |= all[lane][0] << lane;
    return votes;
}

// A row of eight numbers from each lane: lane l brings row l % 8 of matrix l / 8.
const WarpWords& bring_rows(const Shared<bf16>& from, int index) {
    LaneWords row{};
    std::memcpy(row.data(), from.read(index, 8), 16);
    return running().meet(Call::load_matrix, kFullWarp, row);
}

std::uint32_t half_of(const LaneWords& row, unsigned column) { return row[column / 2] >> (column % 2 * 16) & 0xffffu; }

float number(std::uint32_t pair, unsigned half) { return std::bit_cast<float>(half == 0 ? pair << 16 : pair & 0xffff0000u); }

// Words of a lane: a (4), b (2), c (4). A lane holds, with g = lane / 4 and t = lane % 4,
// a: rows g, g + 8 in turn, columns 2t, 2t + 1 and then 2t + 8, 2t + 9; b: rows 2t, 2t + 1, then 2t + 8, 2t + 9 of column g;
// c: columns 2t, 2t + 1 of row g, then of row g + 8.
void multiply_tiles(WarpWords& lanes) {
    float a[16][16], b[16][8], c[16][8];
    for (unsigned lane = 0; lane < kLanes; ++lane) {
        const unsigned g = lane / 4, t = lane % 4 * 2;
        for (unsigned half = 0; half < 2; ++half) {
            for (unsigned i = 0; i < 4; ++i) a[g + i % 2 * 8][t + i / 2 * 8 + half] = number(lanes[lane][i], half);
            for (unsigned i = 0; i < 2; ++i) b[t + i * 8 + half][g] = number(lanes[lane][4 + i], half);
            for (unsigned i = 0; i < 2; ++i) c[g + i * 8][t + half] = std::bit_cast<float>(lanes[lane][6 + 2 * i + half]);
        }
    }
    for (auto row = 0; row < 16; ++row)
        for (int k = 0; k < 16; ++k)
            for (int column = 0; column < 8; ++column) c[row][column] += a[row][k] * b[k][column];
    for (unsigned lane = 0; lane < kLanes; ++lane) {
        const unsigned g = lane / 4, t = lane % 4 * 2;
        for (unsigned i = 0; i < 4; ++i) lanes[lane][6 + i] = std::bit_cast<std::uint32_t>(c[g + i / 2 * 8][t + i % 2]);
    }
}

}  // namespace
}  // namespace emulation

using emulation::Call;

void __syncwarp(unsigned mask) { emulation::running().meet(Call::sync_warp, mask, {}); }
unsigned __ballot_sync(unsigned mask, int predicate) { return emulation::vote(Call::ballot, mask, predicate); }
int __any_sync(unsigned mask, int predicate) { return emulation::vote(Call::any, mask, predicate) != 0; }
int __all_sync(unsigned mask, int predicate) { return emulation::vote(Call::all, mask, predicate) == kFullWarp; }

void load_matrix_x4(std::uint32_t (&r)[4], Shared<bf16> from, int index) {
    const emulation::WarpWords& rows = emulation::bring_rows(from, index);
    const unsigned lane = emulation::lane_of_running();
    for (unsigned m = 0; m < 4; ++m) r[m] = rows[8 * m + lane / 4][lane % 4];
}

void load_matrix_x4_transposed(std::uint32_t (&r)[4], Shared<bf16> from, int index) {
    const emulation::WarpWords& rows = emulation::bring_rows(from, index);
    const unsigned lane = emulation::lane_of_running(), column = lane / 4, row = lane % 4 * 2;
    for (unsigned m = 0; m < 4; ++m) r[m] = emulation::half_of(rows[8 * m + row], column) | emulation::half_of(rows[8 * m + row + 1], column) << 16;
}

void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
    emulation::LaneWords words = {a[0], a[1], a[2], a[3], b0, b1};
    for (unsigned i = 0; i < 4; ++i) words[6 + i] = std::bit_cast<std::uint32_t>(c[i]);
    const emulation::WarpWords& all = emulation::running().meet(Call::multiply_add, kFullWarp, words, emulation::multiply_tiles);
    for (unsigned i = 0; i < 4; ++i) c[i] = std::bit_cast<float>(all[emulation::lane_of_running()][6 + i]);
}

}  // namespace temper::cuda
