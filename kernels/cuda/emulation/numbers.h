// Conversions of device.h, and what nvcc knows of its own that the host's headers lack: qualifiers, intrinsics, min and max.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

#include <math.h>

#include "kernels/encoding.h"
#include "kernels/tensor.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__
#define __launch_bounds__(...)
#define __restrict__ __restrict

namespace temper::cuda {

inline float to_float(float value) { return value; }
inline float to_float(bf16 value) { return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16); }
// cvt.rn.bf16.f32: to nearest even; every NaN becomes 0x7fff                       [PTX ISA, cvt]
inline bf16 round_bits(float value) {
    if (value != value) return 0x7fff;
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return static_cast<bf16>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
template <class T> T round_to(float value);
template <> inline float round_to<float>(float value) { return value; }
template <> inline bf16 round_to<bf16>(float value) { return round_bits(value); }
inline std::uint32_t round_pair(float low, float high) { return static_cast<std::uint32_t>(round_bits(high)) << 16 | round_bits(low); }

inline float half_to_float(std::uint16_t half) { return from_f16(half); }

inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline float __int_as_float(int bits) { return std::bit_cast<float>(bits); }
inline unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
inline int __float_as_int(float value) { return std::bit_cast<int>(value); }
inline int __popc(unsigned bits) { return std::popcount(bits); }
inline int __clz(int bits) { return std::countl_zero(static_cast<unsigned>(bits)); }
inline int __ffs(int bits) { return bits == 0 ? 0 : std::countr_zero(static_cast<unsigned>(bits)) + 1; }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(static_cast<std::uint64_t>(a) * b >> 32); }
// Right to a few units in the last place on hardware, exactly rounded here.
inline float rsqrtf(float value) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(value))); }
inline float __expf(float value) { return std::exp(value); }
inline float fast_exp2(float value) {
    const float power = std::exp2(value);
    return power < 0x1p-126f ? 0.0f : power;
}
inline int anew(int value) { return value; }
inline int dot_bytes(int a, int b, int sum) {
    for (int i = 0; i < 32; i += 8) sum += static_cast<std::int8_t>(a >> i) * static_cast<std::int8_t>(b >> i);
    return sum;
}
inline float __logf(float value) { return std::log(value); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float value) { return 1.0f / value; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }

template <class T> constexpr T min(T a, T b) { return b < a ? b : a; }
template <class T> constexpr T max(T a, T b) { return a < b ? b : a; }

}  // namespace temper::cuda
