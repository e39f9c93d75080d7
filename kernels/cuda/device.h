// What device code is written with: on a GPU the hardware's own, on the host the emulation of kernels/cuda/emulation, which runs the same source
// and checks each access. A kernel file is C++17, includes this header, and keeps to what it names:
//   __global__, __device__, threadIdx.x, blockIdx.{x,y,z}, blockDim.x, gridDim.{x,y,z}   (blocks are one-dimensional, whole warps)
//   __syncthreads(), __syncwarp(), __shfl_sync, __shfl_xor_sync, __shfl_down_sync, __ballot_sync, __any_sync, __all_sync   (mask kFullWarp)
// Numbers in memory are reached through Global and Shared alone. An element of either is read into a named type, never `auto`: the
// emulation answers with a proxy.
#pragma once
#include <cstdint>

#include "kernels/tensor.h"

#ifndef __CUDACC__
#include "kernels/cuda/emulation/device.h"
#else

namespace temper::cuda {

constexpr unsigned kFullWarp = 0xffffffffu;
constexpr int kWarp = 32;

// Device memory that a kernel was given: `count` elements, which the emulation holds every index against.
template <class T> struct Global {
    T* data = nullptr;

    Global() = default;
    __host__ __device__ Global(T* first, std::int64_t /*count*/) : data(first) {}
    template <class U> __host__ __device__ Global(Global<U> other) : data(other.data) {}  // T = const U
    __host__ __device__ bool empty() const { return data == nullptr; }
    __device__ T& operator[](std::int64_t index) const { return data[index]; }
    __device__ Global operator+(std::int64_t offset) const { return Global(data + offset, 0); }
};

// The block's dynamic shared memory, `count` elements from a byte offset (a multiple of 16).
template <class T> struct Shared {
    T* data;

    __device__ T& operator[](int index) const { return data[index]; }
    __device__ Shared operator+(int offset) const { return {data + offset}; }
};
extern __shared__ __align__(128) unsigned char block_memory[];
template <class T> __device__ Shared<T> shared(int byte_offset, int /*count*/) { return {reinterpret_cast<T*>(block_memory + byte_offset)}; }

// Neighbouring elements that travel as one access of 4, 8 or 16 bytes; the index is a multiple of N.
template <class T, int N> struct alignas(sizeof(T) * N) Pack {
    T value[N];
    __device__ T& operator[](int i) { return value[i]; }
    __device__ const T& operator[](int i) const { return value[i]; }
};
template <int N, class T> __device__ Pack<T, N> load_pack(Global<const T> from, std::int64_t index) {
    return *reinterpret_cast<const Pack<T, N>*>(from.data + index);
}
template <int N, class T> __device__ void store_pack(Global<T> to, std::int64_t index, const Pack<T, N>& pack) {
    *reinterpret_cast<Pack<T, N>*>(to.data + index) = pack;
}
template <int N, class T> __device__ Pack<T, N> load_pack(Shared<T> from, int index) { return *reinterpret_cast<Pack<T, N>*>(from.data + index); }
template <int N, class T> __device__ void store_pack(Shared<T> to, int index, const Pack<T, N>& pack) {
    *reinterpret_cast<Pack<T, N>*>(to.data + index) = pack;
}

// bf16 is storage (kernels/tensor.h); rounding is to nearest even.
__device__ inline float to_float(float value) { return value; }
__device__ inline float to_float(bf16 value) { return __uint_as_float(static_cast<unsigned>(value) << 16); }
template <class T> __device__ T round_to(float value);
template <> __device__ inline float round_to<float>(float value) { return value; }
template <> __device__ inline bf16 round_to<bf16>(float value) {
    bf16 bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}
// Two bfloat16 in a register, the first in the low half.
__device__ inline std::uint32_t round_pair(float low, float high) {
    std::uint32_t bits;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
}

// IEEE binary16, of which every number is a float.
__device__ inline float half_to_float(std::uint16_t half) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(half));
    return value;
}

// sum plus the products of four signed bytes each.                                                     [PTX ISA, dp4a]
__device__ inline int dot_bytes(int a, int b, int sum) { return __dp4a(a, b, sum); }

// 2^value to 2 units in the last place, in one instruction; what is below float's smallest normal number becomes zero.        [PTX ISA, ex2]
__device__ inline float fast_exp2(float value) {
    float power;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(value));
    return power;
}

// The same number, of which the compiler knows nothing: what follows from it is computed where it is used instead of being kept in registers.
__device__ inline int anew(int value) {
    asm volatile("" : "+r"(value));
    return value;
}

// Asynchronous copy of 16 bytes to shared memory; what is not `valid` becomes zero, and `from` is not read. A thread sees its own copies after
// copy_async_wait, others after a barrier behind it. wait<N>: all groups but the last N have arrived.                [PTX ISA, cp.async]
template <class T, class U> __device__ void copy_async16(Shared<T> to, int index, Global<U> from, std::int64_t from_index, bool valid) {
    const auto target = static_cast<unsigned>(__cvta_generic_to_shared(to.data + index));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(target), "l"(from.data + (valid ? from_index : 0)), "r"(valid ? 16 : 0)
                 : "memory");
}
__device__ inline void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N> __device__ void copy_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }

// Four 8x8 matrices of bfloat16 from shared memory; lane l names the beginning of row l % 8 of matrix l / 8 (16-byte aligned).      [PTX ISA, ldmatrix]
__device__ inline void load_matrix_x4(std::uint32_t (&r)[4], Shared<bf16> from, int index) {
    const auto address = static_cast<unsigned>(__cvta_generic_to_shared(from.data + index));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}
// The same, each matrix transposed.
__device__ inline void load_matrix_x4_transposed(std::uint32_t (&r)[4], Shared<bf16> from, int index) {
    const auto address = static_cast<unsigned>(__cvta_generic_to_shared(from.data + index));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

// c (16, 8) f32 += a (16, 16) b (16, 8) of bfloat16, a row-major, b column-major, spread over the warp.          [PTX ISA, mma.m16n8k16]
__device__ inline void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace temper::cuda
#endif
