// Sums over threads that share a row: 8, 16 or 32 neighbours of a warp, or the whole block. The order of a sum depends on the number of threads
// alone, and all of them get it.
#pragma once
#include "kernels/cuda/device.h"

namespace temper::cuda {

// Each lane adds what its twin at distance 1, 2, 4... has: both add the same two numbers, so both have the same sum.
template <int kLanes> __device__ float sum_of_lanes(float value) {
#pragma unroll
    for (int distance = 1; distance < kLanes; distance *= 2) value += __shfl_xor_sync(kFullWarp, value, distance);
    return value;
}

// All threads of the block call it. `slot`: which of the block's sums, for kTeam above a warp; a slot is used once.
template <int kTeam> __device__ float sum_of_team(float value, int slot) {
    constexpr int kWarps = kTeam / kWarp;
    value = sum_of_lanes<(kTeam < kWarp ? kTeam : kWarp)>(value);
    if (kTeam <= kWarp) return value;
    const Shared<float> sums = shared<float>(slot * kWarps * static_cast<int>(sizeof(float)), kWarps);
    if (threadIdx.x % kWarp == 0) sums[static_cast<int>(threadIdx.x) / kWarp] = value;
    __syncthreads();
    float total = 0.0f;
#pragma unroll
    for (int warp = 0; warp < kWarps; ++warp) total += sums[warp];
    return total;
}

}  // namespace temper::cuda
