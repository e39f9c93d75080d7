// Blocks of 256 numbers. A block's scales are products of one or two numbers in binary16 and small integers a group; the groups of 32
// lie interleaved in the bytes of q: 32 bytes hold as many groups as a byte holds numbers. Loops have constant lengths, which the
// compiler turns into vector instructions at -O2.                                                   [ggml-common.h, block_q2_K ...]
#include "kernels/encoding.h"

namespace temper {

namespace {

constexpr int block = 256, group = 32;

// Number i of a group is bits [shift, shift + width) of byte i.
template <int width> void unpack(const std::uint8_t* __restrict bytes, int shift, std::uint8_t* __restrict q) {
    for (int i = 0; i < group; ++i) q[i] = static_cast<std::uint8_t>(bytes[i] >> shift & ((1 << width) - 1));
}
// Bit `bit` of byte i goes on top of number i.
template <int width> void add_bit(const std::uint8_t* __restrict bytes, int bit, std::uint8_t* __restrict q) {
    for (int i = 0; i < group; ++i) q[i] = static_cast<std::uint8_t>(q[i] | ((bytes[i] >> bit & 1) << width));
}
template <int count> void scale(const std::uint8_t* __restrict q, int offset, float d, float* __restrict out) {
    for (int i = 0; i < count; ++i) out[i] = d * static_cast<float>(q[i] - offset);
}
template <int count> void scale_above(const std::uint8_t* __restrict q, float d, float minimum, float* __restrict out) {
    for (int i = 0; i < count; ++i) out[i] = d * static_cast<float>(q[i]) - minimum;
}

// 16 x (4 bits scale, 4 bits minimum), 64 bytes of 2 bits, d, dmin.
void q2_k_to_f32(const std::uint8_t* __restrict blocks, std::int64_t count, float* __restrict out) {
    std::uint8_t q[group];
    for (; count > 0; --count, blocks += 84, out += block) {
        const std::uint8_t* scales = blocks;
        const float d = scale_at(blocks + 80), least = scale_at(blocks + 82);
        for (int g = 0; g < 8; ++g) {
            unpack<2>(blocks + 16 + g / 4 * group, g % 4 * 2, q);
            for (int part = 0; part < 2; ++part) {
                const int s = scales[2 * g + part];
                scale_above<16>(q + 16 * part, d * static_cast<float>(s & 15), least * static_cast<float>(s >> 4), out + group * g + 16 * part);
            }
        }
    }
}

// 32 bytes of third bits (set: nothing is subtracted), 64 bytes of 2 bits, 16 scales of 6 bits in 12 bytes, d.
void q3_k_to_f32(const std::uint8_t* __restrict blocks, std::int64_t count, float* __restrict out) {
    std::uint8_t q[group];
    for (; count > 0; --count, blocks += 110, out += block) {
        const std::uint8_t* scales = blocks + 96;
        const float d = scale_at(blocks + 108);
        for (int g = 0; g < 8; ++g) {
            unpack<2>(blocks + 32 + g / 4 * group, g % 4 * 2, q);
            add_bit<2>(blocks, g, q);
            for (int part = 0; part < 2; ++part) {
                const int j = 2 * g + part, low = j < 8 ? scales[j] & 15 : scales[j - 8] >> 4, high = scales[8 + j % 4] >> (j / 4 * 2) & 3;
                scale<16>(q + 16 * part, 4, d * static_cast<float>((low | high << 4) - 32), out + group * g + 16 * part);
            }
        }
    }
}

struct ScaleAndMinimum {
    int scale, minimum;
};
// Of group g, 6 bits each, all in 12 bytes: those of groups 4 to 7 have their upper two bits above those of groups 0 to 3.
ScaleAndMinimum scale_and_minimum(const std::uint8_t* packed, int g) {
    if (g < 4) return {packed[g] & 63, packed[4 + g] & 63};
    const int low = packed[4 + g];
    return {(low & 15) | (packed[g - 4] >> 2 & 48), (low >> 4) | (packed[g] >> 2 & 48)};
}

// d, dmin, 12 bytes of scales and minimums, 128 bytes of nibbles.
void q4_k_to_f32(const std::uint8_t* __restrict blocks, std::int64_t count, float* __restrict out) {
    std::uint8_t q[group];
    for (; count > 0; --count, blocks += 144, out += block) {
        const float d = scale_at(blocks), least = scale_at(blocks + 2);
        for (int g = 0; g < 8; ++g) {
            unpack<4>(blocks + 16 + g / 2 * group, g % 2 * 4, q);
            const auto [s, m] = scale_and_minimum(blocks + 4, g);
            scale_above<group>(q, d * static_cast<float>(s), least * static_cast<float>(m), out + group * g);
        }
    }
}

// d, dmin, 12 bytes of scales and minimums, 32 bytes of fifth bits, 128 bytes of nibbles.
void q5_k_to_f32(const std::uint8_t* __restrict blocks, std::int64_t count, float* __restrict out) {
    std::uint8_t q[group];
    for (; count > 0; --count, blocks += 176, out += block) {
        const float d = scale_at(blocks), least = scale_at(blocks + 2);
        for (int g = 0; g < 8; ++g) {
            unpack<4>(blocks + 48 + g / 2 * group, g % 2 * 4, q);
            add_bit<4>(blocks + 16, g, q);
            const auto [s, m] = scale_and_minimum(blocks + 4, g);
            scale_above<group>(q, d * static_cast<float>(s), least * static_cast<float>(m), out + group * g);
        }
    }
}

// 128 bytes of low nibbles (64 bytes are four groups: two of low nibbles, two of high), 64 bytes of 2 upper bits, 16 x i8 scales, d.
void q6_k_to_f32(const std::uint8_t* __restrict blocks, std::int64_t count, float* __restrict out) {
    std::uint8_t q[group], upper[group];
    for (; count > 0; --count, blocks += 210, out += block) {
        const auto* scales = reinterpret_cast<const std::int8_t*>(blocks + 192);
        const float d = scale_at(blocks + 208);
        for (int g = 0; g < 8; ++g) {
            unpack<4>(blocks + g / 4 * 64 + g % 2 * group, g % 4 / 2 * 4, q);
            unpack<2>(blocks + 128 + g / 4 * group, g % 4 * 2, upper);
            for (int i = 0; i < group; ++i) q[i] = static_cast<std::uint8_t>(q[i] | upper[i] << 4);
            for (int part = 0; part < 2; ++part)
                scale<16>(q + 16 * part, 32, d * static_cast<float>(scales[2 * g + part]), out + group * g + 16 * part);
        }
    }
}

// d, 8 x 2 upper bits of the scales, 8 x 4 lower bits, then for each group 16 bytes of nibbles that name values of a table.
void iq4_xs_to_f32(const std::uint8_t* __restrict blocks, std::int64_t count, float* __restrict out) {
    for (; count > 0; --count, blocks += 136, out += block) {
        const float d = scale_at(blocks);
        std::uint16_t high;
        std::memcpy(&high, blocks + 2, 2);
        for (int g = 0; g < 8; ++g) {
            const int low = blocks[4 + g / 2] >> (g % 2 * 4) & 15;
            const float scaled = d * static_cast<float>((low | (high >> (2 * g) & 3) << 4) - 32);
            const std::uint8_t* q = blocks + 8 + 16 * g;
            float* to = out + group * g;
            for (int i = 0; i < 16; ++i) to[i] = scaled * iq4_values[q[i] & 15];
            for (int i = 0; i < 16; ++i) to[16 + i] = scaled * iq4_values[q[i] >> 4];
        }
    }
}

}  // namespace

const Encoding encoding_q2_k{block, 84, q2_k_to_f32}, encoding_q3_k{block, 110, q3_k_to_f32}, encoding_q4_k{block, 144, q4_k_to_f32},
    encoding_q5_k{block, 176, q5_k_to_f32}, encoding_q6_k{block, 210, q6_k_to_f32}, encoding_iq4_xs{block, 136, iq4_xs_to_f32};

}  // namespace temper
