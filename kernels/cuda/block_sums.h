// Sums and maxima over the threads of a block; the order depends on the number of threads alone, and all of them get the result.
#pragma once
#include "kernels/cuda/device.h"

namespace temper::cuda {

// `numbers` is shared memory for one number a thread, a power of two of them. All threads call it; a barrier stands at both ends.
template <class T, class Combine> __device__ T combine_block(Shared<T> numbers, T mine, int threads, const Combine& combine) {
    const int thread = static_cast<int>(threadIdx.x);
    __syncthreads();
    numbers[thread] = mine;
    __syncthreads();
    for (int half = threads / 2; half > 0; half /= 2) {
        if (thread < half) {
            const T first = numbers[thread], second = numbers[thread + half];
            numbers[thread] = combine(first, second);
        }
        __syncthreads();
    }
    const T result = numbers[0];
    __syncthreads();
    return result;
}

struct Add {
    template <class T> __device__ T operator()(T a, T b) const { return a + b; }
};
struct Larger {
    __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

}  // namespace temper::cuda
