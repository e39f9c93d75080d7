#include "kernels/encoding.h"

#include <cstring>

namespace temper {

namespace {

void f32_to_f32(const std::uint8_t* blocks, std::int64_t count, float* out) { std::memcpy(out, blocks, static_cast<std::size_t>(count) * 4); }

void bf16_to_f32(const std::uint8_t* blocks, std::int64_t count, float* out) {
    for (std::int64_t i = 0; i < count; ++i) {
        std::uint16_t half;
        std::memcpy(&half, blocks + i * 2, 2);
        out[i] = from_bf16(half);
    }
}

void f16_to_f32(const std::uint8_t* blocks, std::int64_t count, float* out) {
    for (std::int64_t i = 0; i < count; ++i) {
        std::uint16_t half;
        std::memcpy(&half, blocks + i * 2, 2);
        out[i] = from_f16(half);
    }
}

constexpr int block = 32, half = block / 2;

void q8_0_to_f32(const std::uint8_t* __restrict blocks, std::int64_t count, float* __restrict out) {
    for (; count > 0; --count, blocks += 2 + block, out += block) {
        const float d = scale_at(blocks);
        const auto* q = reinterpret_cast<const std::int8_t*>(blocks + 2);
        for (int i = 0; i < block; ++i) out[i] = static_cast<float>(q[i]) * d;
    }
}

void q4_0_to_f32(const std::uint8_t* __restrict blocks, std::int64_t count, float* __restrict out) {
    for (; count > 0; --count, blocks += 2 + half, out += block) {
        const float d = scale_at(blocks);
        const std::uint8_t* q = blocks + 2;
        for (int i = 0; i < half; ++i) out[i] = static_cast<float>((q[i] & 15) - 8) * d;
        for (int i = 0; i < half; ++i) out[half + i] = static_cast<float>((q[i] >> 4) - 8) * d;
    }
}

void q4_1_to_f32(const std::uint8_t* __restrict blocks, std::int64_t count, float* __restrict out) {
    for (; count > 0; --count, blocks += 4 + half, out += block) {
        const float d = scale_at(blocks), m = scale_at(blocks + 2);
        const std::uint8_t* q = blocks + 4;
        for (int i = 0; i < half; ++i) out[i] = static_cast<float>(q[i] & 15) * d + m;
        for (int i = 0; i < half; ++i) out[half + i] = static_cast<float>(q[i] >> 4) * d + m;
    }
}

// Nibbles and fifth bits as numbers from 0 to 31.
void unpack_fifth_bits(const std::uint8_t* __restrict high, const std::uint8_t* __restrict nibbles, std::uint8_t* __restrict q) {
    std::uint32_t bits;
    std::memcpy(&bits, high, 4);
    for (int i = 0; i < half; ++i) {
        q[i] = static_cast<std::uint8_t>((nibbles[i] & 15) | ((bits >> i & 1) << 4));
        q[half + i] = static_cast<std::uint8_t>((nibbles[i] >> 4) | ((bits >> (half + i) & 1) << 4));
    }
}

void q5_0_to_f32(const std::uint8_t* __restrict blocks, std::int64_t count, float* __restrict out) {
    std::uint8_t q[block];
    for (; count > 0; --count, blocks += 6 + half, out += block) {
        const float d = scale_at(blocks);
        unpack_fifth_bits(blocks + 2, blocks + 6, q);
        for (int i = 0; i < block; ++i) out[i] = static_cast<float>(q[i] - 16) * d;
    }
}

void q5_1_to_f32(const std::uint8_t* __restrict blocks, std::int64_t count, float* __restrict out) {
    std::uint8_t q[block];
    for (; count > 0; --count, blocks += 8 + half, out += block) {
        const float d = scale_at(blocks), m = scale_at(blocks + 2);
        unpack_fifth_bits(blocks + 4, blocks + 8, q);
        for (int i = 0; i < block; ++i) out[i] = static_cast<float>(q[i]) * d + m;
    }
}

void iq4_nl_to_f32(const std::uint8_t* __restrict blocks, std::int64_t count, float* __restrict out) {
    for (; count > 0; --count, blocks += 2 + half, out += block) {
        const float d = scale_at(blocks);
        const std::uint8_t* q = blocks + 2;
        for (int i = 0; i < half; ++i) out[i] = d * iq4_values[q[i] & 15];
        for (int i = 0; i < half; ++i) out[half + i] = d * iq4_values[q[i] >> 4];
    }
}

}  // namespace

const float iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

const Encoding encoding_f32{1, 4, f32_to_f32}, encoding_f16{1, 2, f16_to_f32}, encoding_bf16{1, 2, bf16_to_f32};
const Encoding encoding_q8_0{block, 2 + block, q8_0_to_f32}, encoding_q4_0{block, 2 + half, q4_0_to_f32}, encoding_q4_1{block, 4 + half, q4_1_to_f32},
    encoding_q5_0{block, 6 + half, q5_0_to_f32}, encoding_q5_1{block, 8 + half, q5_1_to_f32}, encoding_iq4_nl{block, 2 + half, iq4_nl_to_f32};

}  // namespace temper
