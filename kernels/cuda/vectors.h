// Eight neighbouring numbers of a row in float, read and written as one or two accesses of 16 bytes where the row allows it.
#pragma once
#include "kernels/cuda/device.h"

namespace temper::cuda {

constexpr int kEight = 8;

struct Eight {
    float value[kEight];
    __device__ float& operator[](int i) { return value[i]; }
    __device__ const float& operator[](int i) const { return value[i]; }
};

__device__ inline Eight load_whole(Global<const bf16> from, std::int64_t index) {
    const Pack<bf16, kEight> pack = load_pack<kEight>(from, index);
    Eight result;
#pragma unroll
    for (int i = 0; i < kEight; ++i) result[i] = to_float(pack[i]);
    return result;
}
__device__ inline Eight load_whole(Global<const float> from, std::int64_t index) {
    const Pack<float, 4> low = load_pack<4>(from, index), high = load_pack<4>(from, index + 4);
    Eight result;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        result[i] = low[i];
        result[i + 4] = high[i];
    }
    return result;
}
__device__ inline void store_whole(Global<bf16> to, std::int64_t index, const Eight& numbers) {
    Pack<bf16, kEight> pack;
#pragma unroll
    for (int i = 0; i < kEight; ++i) pack[i] = round_to<bf16>(numbers[i]);
    store_pack<kEight>(to, index, pack);
}
__device__ inline void store_whole(Global<float> to, std::int64_t index, const Eight& numbers) {
    Pack<float, 4> low, high;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        low[i] = numbers[i];
        high[i] = numbers[i + 4];
    }
    store_pack<4>(to, index, low);
    store_pack<4>(to, index + 4, high);
}

// The first `count` of them (zero or less: none; the others are zero). `aligned`: index begins at a multiple of 16 bytes in memory.
template <class T> __device__ Eight load_eight(Global<const T> from, std::int64_t index, std::int64_t count, bool aligned) {
    if (aligned && count >= kEight) return load_whole(from, index);
    Eight result;
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
        result[i] = 0.0f;
        if (i < count) {
            const T number = from[index + i];
            result[i] = to_float(number);
        }
    }
    return result;
}
template <class T> __device__ void store_eight(Global<T> to, std::int64_t index, const Eight& numbers, std::int64_t count, bool aligned) {
    if (aligned && count >= kEight) return store_whole(to, index, numbers);
#pragma unroll
    for (int i = 0; i < kEight; ++i)
        if (i < count) to[index + i] = round_to<T>(numbers[i]);
}

}  // namespace temper::cuda
