// GGUF's blocks as device code reads them: eight neighbouring numbers of a block at a time, from its bytes in shared memory. Layouts and order of
// rounding are those of kernels/encoding.cpp and encoding_k.cpp.
#pragma once
#include "kernels/cuda/vectors.h"

namespace temper::cuda {

// The bytes of a block, which begins at an even one.
struct BlockBytes {
    Shared<std::uint16_t> pairs;

    __device__ std::uint32_t pair(int at) const {
        const std::uint16_t value = pairs[at / 2];
        return value;
    }
    __device__ int byte(int at) const { return static_cast<int>(pair(at) >> (8 * (at % 2)) & 255u); }
    __device__ float half(int at) const { return half_to_float(static_cast<std::uint16_t>(pair(at))); }
    __device__ std::uint32_t word(int at) const { return pair(at) | pair(at + 2) << 16; }
};

// Eight small numbers, one a byte.
struct Bytes8 {
    std::uint32_t low, high;

    __device__ Bytes8(const BlockBytes& block, int at) : low(block.word(at)), high(block.word(at + 4)) {}
    __device__ Bytes8(std::uint32_t first, std::uint32_t last) : low(first), high(last) {}
    __device__ int operator[](int i) const { return static_cast<int>((i < 4 ? low : high) >> (8 * (i % 4)) & 255u); }
    // Of each byte the bits [shift, shift + width).
    template <int width> __device__ Bytes8 bits(int shift) const {
        constexpr std::uint32_t mask = ((1u << width) - 1u) * 0x01010101u;
        return {low >> shift & mask, high >> shift & mask};
    }
    __device__ Bytes8 operator<<(int shift) const { return {low << shift, high << shift}; }
    __device__ Bytes8 operator|(const Bytes8& other) const { return {low | other.low, high | other.high}; }
};
// Eight neighbouring bits, one a byte.
__device__ inline Bytes8 spread_bits(std::uint32_t bits) {
    std::uint32_t low = 0, high = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        low |= (bits >> i & 1u) << (8 * i);
        high |= (bits >> (i + 4) & 1u) << (8 * i);
    }
    return {low, high};
}

// d (q - offset)
__device__ inline Eight scaled(const Bytes8& q, int offset, float d) {
    Eight eight;
#pragma unroll
    for (int i = 0; i < kEight; ++i) eight[i] = __fmul_rn(static_cast<float>(q[i] - offset), d);
    return eight;
}
// q d + m, rounded after the product and after the sum.
__device__ inline Eight scaled_above(const Bytes8& q, float d, float m) {
    Eight eight;
#pragma unroll
    for (int i = 0; i < kEight; ++i) eight[i] = __fadd_rn(__fmul_rn(static_cast<float>(q[i]), d), m);
    return eight;
}
// d table[q] of IQ4_NL and IQ4_XS.
__device__ inline Eight scaled_table(const Bytes8& q, float d) {
    constexpr std::uint64_t lower = 0xf6eaddcfbfad9881ull, upper = 0x7159453526190d01ull;  // iq4_values, the first in the lowest byte
    Eight eight;
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
        const int index = q[i];
        const auto value = static_cast<std::int8_t>((index < 8 ? lower : upper) >> (8 * (index & 7)));
        eight[i] = __fmul_rn(d, static_cast<float>(value));
    }
    return eight;
}

// Blocks of 32: four eights, of which the last two are the upper nibbles of the bytes of the first two.
struct BlockOf32 {
    static constexpr int kElements = 32;
    __device__ static Bytes8 nibbles(const BlockBytes& b, int at, int eight) { return Bytes8(b, at + eight % 2 * 8).bits<4>(eight / 2 * 4); }
    __device__ static Bytes8 fifth_bits(const BlockBytes& b, int at, int eight) { return spread_bits(b.word(at) >> (8 * eight)) << 4; }
};
struct BlockQ8_0 : BlockOf32 {
    static constexpr int kBytes = 34;
    __device__ static Eight decode(const BlockBytes& b, int eight) {
        const Bytes8 q(b, 2 + 8 * eight);
        const float d = b.half(0);
        Eight result;
#pragma unroll
        for (int i = 0; i < kEight; ++i) result[i] = __fmul_rn(static_cast<float>(static_cast<std::int8_t>(q[i])), d);
        return result;
    }
};
struct BlockQ4_0 : BlockOf32 {
    static constexpr int kBytes = 18;
    __device__ static Eight decode(const BlockBytes& b, int eight) { return scaled(nibbles(b, 2, eight), 8, b.half(0)); }
};
struct BlockQ4_1 : BlockOf32 {
    static constexpr int kBytes = 20;
    __device__ static Eight decode(const BlockBytes& b, int eight) { return scaled_above(nibbles(b, 4, eight), b.half(0), b.half(2)); }
};
struct BlockQ5_0 : BlockOf32 {
    static constexpr int kBytes = 22;
    __device__ static Eight decode(const BlockBytes& b, int eight) { return scaled(nibbles(b, 6, eight) | fifth_bits(b, 2, eight), 16, b.half(0)); }
};
struct BlockQ5_1 : BlockOf32 {
    static constexpr int kBytes = 24;
    __device__ static Eight decode(const BlockBytes& b, int eight) {
        return scaled_above(nibbles(b, 8, eight) | fifth_bits(b, 4, eight), b.half(0), b.half(2));
    }
};
struct BlockIq4Nl : BlockOf32 {
    static constexpr int kBytes = 18;
    __device__ static Eight decode(const BlockBytes& b, int eight) { return scaled_table(nibbles(b, 2, eight), b.half(0)); }
};

// Blocks of 256: eight groups of 32, four eights each; scales are of groups, or of their halves.
struct BlockOf256 {
    static constexpr int kElements = 256;
    struct Place {
        int group, begin, half;  // begin: of the eight in its group; half: which of the 16 halves of groups

        __device__ explicit Place(int eight) : group(eight / 4), begin(eight % 4 * 8), half(eight / 2) {}
    };
    // scale_and_minimum of encoding_k.cpp.
    __device__ static void scale_and_minimum(const BlockBytes& b, int at, int g, int& scale, int& minimum) {
        const int first = b.byte(at + g), second = b.byte(at + 4 + g);
        if (g < 4) {
            scale = first & 63;
            minimum = second & 63;
            return;
        }
        const int before = b.byte(at + g - 4);
        scale = (second & 15) | (before >> 2 & 48);
        minimum = (second >> 4) | (first >> 2 & 48);
    }
    __device__ static Eight scaled_group(const BlockBytes& b, const Bytes8& q, int g) {
        int s = 0, m = 0;
        scale_and_minimum(b, 4, g, s, m);
        const float d = __fmul_rn(b.half(0), static_cast<float>(s)), least = __fmul_rn(b.half(2), static_cast<float>(m));
        return scaled_above(q, d, -least);
    }
};
struct BlockQ2K : BlockOf256 {
    static constexpr int kBytes = 84;
    __device__ static Eight decode(const BlockBytes& b, int eight) {
        const Place p(eight);
        const Bytes8 q = Bytes8(b, 16 + p.group / 4 * 32 + p.begin).bits<2>(p.group % 4 * 2);
        const int s = b.byte(p.half);
        const float d = __fmul_rn(b.half(80), static_cast<float>(s & 15)), least = __fmul_rn(b.half(82), static_cast<float>(s >> 4));
        return scaled_above(q, d, -least);
    }
};
struct BlockQ3K : BlockOf256 {
    static constexpr int kBytes = 110;
    __device__ static Eight decode(const BlockBytes& b, int eight) {
        const Place p(eight);
        const Bytes8 q = Bytes8(b, 32 + p.group / 4 * 32 + p.begin).bits<2>(p.group % 4 * 2) | Bytes8(b, p.begin).bits<1>(p.group) << 2;
        const int low = b.byte(96 + p.half % 8) >> (p.half < 8 ? 0 : 4) & 15, high = b.byte(104 + p.half % 4) >> (p.half / 4 * 2) & 3;
        return scaled(q, 4, __fmul_rn(b.half(108), static_cast<float>((low | high << 4) - 32)));
    }
};
struct BlockQ4K : BlockOf256 {
    static constexpr int kBytes = 144;
    __device__ static Eight decode(const BlockBytes& b, int eight) {
        const Place p(eight);
        return scaled_group(b, Bytes8(b, 16 + p.group / 2 * 32 + p.begin).bits<4>(p.group % 2 * 4), p.group);
    }
};
struct BlockQ5K : BlockOf256 {
    static constexpr int kBytes = 176;
    __device__ static Eight decode(const BlockBytes& b, int eight) {
        const Place p(eight);
        const Bytes8 q = Bytes8(b, 48 + p.group / 2 * 32 + p.begin).bits<4>(p.group % 2 * 4) | Bytes8(b, 16 + p.begin).bits<1>(p.group) << 4;
        return scaled_group(b, q, p.group);
    }
};
struct BlockQ6K : BlockOf256 {
    static constexpr int kBytes = 210;
    __device__ static Eight decode(const BlockBytes& b, int eight) {
        const Place p(eight);
        const Bytes8 q = Bytes8(b, p.group / 4 * 64 + p.group % 2 * 32 + p.begin).bits<4>(p.group % 4 / 2 * 4) |
                         Bytes8(b, 128 + p.group / 4 * 32 + p.begin).bits<2>(p.group % 4 * 2) << 4;
        const auto s = static_cast<std::int8_t>(b.byte(192 + p.half));
        return scaled(q, 32, __fmul_rn(b.half(208), static_cast<float>(s)));
    }
};
struct BlockIq4Xs : BlockOf256 {
    static constexpr int kBytes = 136;
    __device__ static Eight decode(const BlockBytes& b, int eight) {
        const Place p(eight);
        const int low = b.byte(4 + p.group / 2) >> (p.group % 2 * 4) & 15, high = static_cast<int>(b.pair(2) >> (2 * p.group) & 3u);
        const Bytes8 q = Bytes8(b, 8 + 16 * p.group + p.begin % 16).bits<4>(p.begin / 16 * 4);
        return scaled_table(q, __fmul_rn(b.half(0), static_cast<float>((low | high << 4) - 32)));
    }
};

}  // namespace temper::cuda
