// Flat float vectors: a thread takes four neighbouring numbers, so that a warp's access is 512 bytes without gaps.
#pragma once
#include "kernels/cuda/launch.h"

namespace temper::cuda {

constexpr int kFour = 4;
using Four = Pack<float, kFour>;

struct FlatOf {
    Global<float> numbers;
    std::int64_t count = 0;
    bool aligned = false;

    explicit FlatOf(const View& view)
        : numbers(global<float>(view)), count(view.elements()), aligned(reinterpret_cast<std::uintptr_t>(view.data) % 16 == 0) {}

    __device__ Four load(std::int64_t index) const {
        if (aligned && index + kFour <= count) return load_pack<kFour>(Global<const float>(numbers), index);
        Four four{};
#pragma unroll
        for (int i = 0; i < kFour; ++i) {
            if (index + i >= count) break;
            const float number = numbers[index + i];
            four[i] = number;
        }
        return four;
    }
    __device__ void store(std::int64_t index, const Four& four) const {
        if (aligned && index + kFour <= count) return store_pack<kFour>(numbers, index, four);
#pragma unroll
        for (int i = 0; i < kFour; ++i) {
            if (index + i >= count) break;
            numbers[index + i] = four[i];
        }
    }
};

// body(index) for every fourth index below `count`.
template <class Body> __global__ void map_flat_kernel(Body body, std::int64_t count) {
    const std::int64_t index = (std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * kFour;
    if (index < count) body(index);
}

template <class Body> void map_flat(Stream& stream, const Body& body, std::int64_t count) {
    constexpr int kThreads = 256;
    launch(stream, map_flat_kernel<Body>, {blocks(count, kThreads * kFour)}, kThreads, 0, body, count);
}

}  // namespace temper::cuda
