// What the threads of a block do together: barriers, shuffles, votes, products of matrices.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/cuda/emulation/block.h"
#include "kernels/cuda/emulation/memory.h"

namespace temper::cuda {

constexpr unsigned kFullWarp = 0xffffffffu;
constexpr int kWarp = 32;

inline void __syncthreads() { emulation::running().barrier(); }
void __syncwarp(unsigned mask = kFullWarp);

namespace emulation {
std::uint32_t exchange(Call call, unsigned mask, std::uint32_t mine, unsigned source_lane);
unsigned lane_of_running();

template <class T> T exchange(Call call, unsigned mask, T mine, unsigned source_lane) {
    static_assert(std::is_same_v<T, int> || std::is_same_v<T, unsigned> || std::is_same_v<T, float>, "numbers of four bytes");
    std::uint32_t bits;
    std::memcpy(&bits, &mine, sizeof(bits));
    bits = exchange(call, mask, bits, source_lane);
    std::memcpy(&mine, &bits, sizeof(bits));
    return mine;
}
}  // namespace emulation

// Where the source is no lane, a lane keeps its own number; the lane of __shfl_sync counts modulo 32.
template <class T> T __shfl_sync(unsigned mask, T mine, int source) {
    return emulation::exchange(emulation::Call::shuffle, mask, mine, static_cast<unsigned>(source) % kWarp);
}
template <class T> T __shfl_xor_sync(unsigned mask, T mine, int lanes) {
    return emulation::exchange(emulation::Call::shuffle_xor, mask, mine, emulation::lane_of_running() ^ static_cast<unsigned>(lanes));
}
template <class T> T __shfl_down_sync(unsigned mask, T mine, unsigned lanes) {
    return emulation::exchange(emulation::Call::shuffle_down, mask, mine, emulation::lane_of_running() + lanes);
}

unsigned __ballot_sync(unsigned mask, int predicate);
int __any_sync(unsigned mask, int predicate);
int __all_sync(unsigned mask, int predicate);

// Fragments as the PTX ISA lays them out ("ldmatrix"; "Matrix Fragments for mma.m16n8k16 with floating point type").
void load_matrix_x4(std::uint32_t (&r)[4], Shared<bf16> from, int index);
void load_matrix_x4_transposed(std::uint32_t (&r)[4], Shared<bf16> from, int index);
// Products are exact in float; they are added to c one after another, depth 0 first. Hardware sums in an order and width of its own.
void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1);

}  // namespace temper::cuda
