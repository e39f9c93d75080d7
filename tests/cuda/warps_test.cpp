// What threads do together: barriers, shuffles, votes, and the calls that some of them never reach.
#include <numeric>

#include "tests/cuda/common.h"

namespace temper::cuda {
namespace {

__device__ int thread() { return static_cast<int>(threadIdx.x); }
__device__ int block() { return static_cast<int>(blockIdx.x); }

// out[block] = sum of in[block * threads ...], through shuffles, then shared memory.
__global__ void reduce(Global<float> out, Global<const float> in) {
    const Shared<float> sums = shared<float>(0, 32);
    float sum = in[static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x];
    for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(kFullWarp, sum, lanes);
    if (thread() % kWarp == 0) sums[thread() / kWarp] = sum;
    __syncthreads();
    if (thread() >= kWarp) return;  // none waits for these any more
    sum = thread() < static_cast<int>(blockDim.x) / kWarp ? sums[thread()] : 0.0f;
    for (unsigned lanes = kWarp / 2; lanes > 0; lanes /= 2) sum += __shfl_down_sync(kFullWarp, sum, lanes);
    if (thread() == 0) out[block()] = sum;
}

__global__ void shuffles(Global<int> out) {
    const int mine = 100 + thread();
    const unsigned other = __shfl_sync(kFullWarp, static_cast<unsigned>(mine), 37);
    out[thread() * 4] = static_cast<int>(other);
    out[thread() * 4 + 1] = __shfl_xor_sync(kFullWarp, mine, 5);
    out[thread() * 4 + 2] = __shfl_down_sync(kFullWarp, mine, 3u);
    out[thread() * 4 + 3] = __shfl_sync(kFullWarp, mine, thread() + 1);
}

__global__ void votes(Global<unsigned> out, int threshold) {
    const unsigned ballot = __ballot_sync(kFullWarp, thread() % kWarp >= threshold);
    const int any = __any_sync(kFullWarp, thread() % kWarp >= threshold), all = __all_sync(kFullWarp, thread() % kWarp >= threshold);
    out[thread() * 3] = ballot;
    out[thread() * 3 + 1] = static_cast<unsigned>(any);
    out[thread() * 3 + 2] = static_cast<unsigned>(all);
}

// Threads that have nothing to do leave at once; the others are whole warps and need no barrier.
__global__ void leaves_early(Global<int> out, int warps) {
    if (thread() / kWarp >= warps) return;
    out[thread()] = __shfl_sync(kFullWarp, thread(), 0);
}

__global__ void many_barriers(Global<int> out, int rounds) {
    const Shared<int> ring = shared<int>(0, 2 * static_cast<int>(blockDim.x));
    const int count = static_cast<int>(blockDim.x);
    ring[thread()] = thread();
    for (int round = 0; round < rounds; ++round) {
        __syncthreads();
        const int value = ring[round % 2 * count + (thread() + 1) % count];
        ring[(round + 1) % 2 * count + thread()] = value;
    }
    out[block() * count + thread()] = ring[rounds % 2 * count + thread()];
}

// Threads in the order in which they begin to run, which differs from launch to launch.
int begun = 0;
__global__ void lane_ends_early(int place) {
    if (begun++ == place) return;
    __syncwarp();
}
__global__ void lanes_call_differently() {
    if (thread() == 5) __syncwarp();
    else __shfl_sync(kFullWarp, 1, 0);
}
__global__ void lane_at_barrier() {
    if (thread() % kWarp == 5) __syncthreads();
    else __any_sync(kFullWarp, 1);
}
__global__ void part_of_the_warp() { __shfl_sync(0xffffu, 1, 0); }
__global__ void barrier_of_all_but(int place) {
    if (begun++ != place) __syncthreads();
}
__global__ void barrier_after_exit() {
    if (thread() >= 64) return;
    for (int i = 0; i < 3; ++i) __syncthreads();
}
__global__ void first_block_throws(Global<int> out) {
    if (block() == 3) out[-1] = 0;
    if (thread() == 0) out[block()] = 1;
}

}  // namespace
}  // namespace temper::cuda

namespace temper::test {
namespace {

TEST(Warps, ReductionThroughShufflesAndSharedMemory) {
    for (const int threads : {32, 96, 1024}) {
        std::vector<float> in(static_cast<std::size_t>(threads) * 5);
        std::iota(in.begin(), in.end(), 1.0f);
        const OnDevice<float> out(5);
        run(cuda::reduce, {5}, threads, 128, out, OnDevice(in));
        for (std::int64_t b = 0; b < 5; ++b)
            EXPECT_EQ(out.values()[static_cast<std::size_t>(b)],
                      static_cast<float>(threads) * (static_cast<float>(b * threads) + static_cast<float>(threads + 1) / 2));
    }
}

TEST(Warps, Shuffles) {
    const OnDevice<int> out(64 * 4);
    run(cuda::shuffles, {1}, 64, 0, out);
    const std::vector<int> got = out.values();
    for (int t = 0; t < 64; ++t) {
        const int warp = t / 32 * 32, lane = t % 32;
        const int* mine = got.data() + t * 4;
        EXPECT_EQ(mine[0], 100 + warp + 5);  // 37 modulo 32
        EXPECT_EQ(mine[1], 100 + warp + (lane ^ 5));
        EXPECT_EQ(mine[2], 100 + (lane + 3 < 32 ? t + 3 : t));  // a lane without a source keeps its own
        EXPECT_EQ(mine[3], 100 + warp + (lane + 1) % 32);
    }
}

TEST(Warps, Votes) {
    for (const int threshold : {0, 7, 31, 32}) {
        const OnDevice<unsigned> out(64 * 3);
        run(cuda::votes, {1}, 64, 0, out, threshold);
        const std::vector<unsigned> got = out.values();
        for (std::size_t t = 0; t < 64; ++t) {
            EXPECT_EQ(got[t * 3], threshold == 32 ? 0u : 0xffffffffu << threshold);
            EXPECT_EQ(got[t * 3 + 1], threshold < 32 ? 1u : 0u);
            EXPECT_EQ(got[t * 3 + 2], threshold == 0 ? 1u : 0u);
        }
    }
}

TEST(Warps, WholeWarpsMayLeave) {
    const OnDevice<int> out(std::vector<int>(96, -1));
    run(cuda::leaves_early, {1}, 96, 0, out, 2);
    for (int t = 0; t < 96; ++t) EXPECT_EQ(out.values()[static_cast<std::size_t>(t)], t < 64 ? t / 32 * 32 : -1);
}

TEST(Warps, BarriersOfManyBlocks) {
    const OnDevice<int> out(7 * 128);
    run(cuda::many_barriers, {7}, 128, 2 * 128 * 4, out, 200);
    for (std::size_t i = 0; i < 7 * 128; ++i) EXPECT_EQ(out.values()[i], static_cast<int>((i % 128 + 200) % 128));
}

TEST(Warps, CallsThatSomeLanesNeverReach) {
    for (const int place : {0, 1, 30, 31}) {
        cuda::begun = 0;
        EXPECT_TRUE(says(refusal(cuda::lane_ends_early, {1}, 32, 0, place), {"block (0, 0, 0), thread", "__syncwarp", "ended"})) << place;
    }
    EXPECT_TRUE(says(refusal(cuda::lanes_call_differently, {1}, 32, 0), {"__syncwarp", "__shfl_sync", "thread"}));
    EXPECT_TRUE(says(refusal(cuda::lane_at_barrier, {1}, 64, 0), {"__any_sync", "of its warp waits in __syncthreads"}));
    EXPECT_TRUE(says(refusal(cuda::part_of_the_warp, {1}, 32, 0), {"__shfl_sync", "0x0000ffff", "kFullWarp"}));
}

TEST(Warps, BarriersThatSomeThreadsNeverReach) {
    for (const int place : {0, 1, 62, 63}) {
        cuda::begun = 0;
        EXPECT_TRUE(says(refusal(cuda::barrier_of_all_but, {1}, 64, 0, place), {"block (0, 0, 0), thread", "__syncthreads", "ended"})) << place;
    }
    EXPECT_TRUE(says(refusal(cuda::barrier_after_exit, {1}, 128, 0), {"__syncthreads", "ended"}));
}

TEST(Warps, AFailureLeavesTheMachineUsable) {
    const OnDevice<int> out(8);
    EXPECT_TRUE(says(refusal(cuda::first_block_throws, {8}, 64, 0, out), {"block (3, 0, 0)", "index -1"}));
    run(cuda::leaves_early, {1}, 32, 0, OnDevice<int>(32), 1);
}

TEST(Launch, WhatADeviceWouldRefuse) {
    const OnDevice<int> out(64);
    EXPECT_TRUE(says(refusal(cuda::leaves_early, {1}, 48, 0, out, 1), {"48 threads", "whole warps"}));
    EXPECT_TRUE(says(refusal(cuda::leaves_early, {1}, 1056, 0, out, 1), {"1056 threads"}));
    EXPECT_TRUE(says(refusal(cuda::leaves_early, {1}, 32, 228 * 1024, out, 1), {"233472 bytes of shared memory"}));
    EXPECT_TRUE(says(refusal(cuda::leaves_early, {1, 65536}, 32, 0, out, 1), {"65536"}));
    EXPECT_EQ(refusal(cuda::leaves_early, {0}, 32, 0, out, 1), "");
    Stream cpu(1);
    EXPECT_THROW(cuda::launch(cpu, cuda::leaves_early, {1}, 32, 0, out, 1), Error);
}

}  // namespace
}  // namespace temper::test
