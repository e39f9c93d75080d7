#include "io/gguf_quants.h"

namespace temper {

namespace {

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

constexpr Encoding encoding_q8_0{block, 2 + block, q8_0_to_f32}, encoding_q4_0{block, 2 + half, q4_0_to_f32},
    encoding_q4_1{block, 4 + half, q4_1_to_f32}, encoding_q5_0{block, 6 + half, q5_0_to_f32}, encoding_q5_1{block, 8 + half, q5_1_to_f32},
    encoding_iq4_nl{block, 2 + half, iq4_nl_to_f32};

// Every type that a file may hold, so that all extents can be checked. [ggml.h, enum ggml_type]
constexpr GgufType types[] = {
    {0, "F32", 1, 4, &encoding_f32},
    {1, "F16", 1, 2, &encoding_f16},
    {2, "Q4_0", 32, 18, &encoding_q4_0},
    {3, "Q4_1", 32, 20, &encoding_q4_1},
    {6, "Q5_0", 32, 22, &encoding_q5_0},
    {7, "Q5_1", 32, 24, &encoding_q5_1},
    {8, "Q8_0", 32, 34, &encoding_q8_0},
    {10, "Q2_K", 256, 84, &encoding_q2_k},
    {11, "Q3_K", 256, 110, &encoding_q3_k},
    {12, "Q4_K", 256, 144, &encoding_q4_k},
    {13, "Q5_K", 256, 176, &encoding_q5_k},
    {14, "Q6_K", 256, 210, &encoding_q6_k},
    {16, "IQ2_XXS", 256, 66, nullptr},
    {17, "IQ2_XS", 256, 74, nullptr},
    {18, "IQ3_XXS", 256, 98, nullptr},
    {19, "IQ1_S", 256, 50, nullptr},
    {20, "IQ4_NL", 32, 18, &encoding_iq4_nl},
    {21, "IQ3_S", 256, 110, nullptr},
    {22, "IQ2_S", 256, 82, nullptr},
    {23, "IQ4_XS", 256, 136, &encoding_iq4_xs},
    {24, "I8", 1, 1, nullptr},
    {25, "I16", 1, 2, nullptr},
    {26, "I32", 1, 4, nullptr},
    {27, "I64", 1, 8, nullptr},
    {28, "F64", 1, 8, nullptr},
    {29, "IQ1_M", 256, 56, nullptr},
    {30, "BF16", 1, 2, &encoding_bf16},
    {34, "TQ1_0", 256, 54, nullptr},
    {35, "TQ2_0", 256, 66, nullptr},
    {39, "MXFP4", 32, 17, nullptr},
};

}  // namespace

const float iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

const GgufType* find_gguf_type(std::uint32_t id) {
    for (const GgufType& type : types)
        if (type.id == id) return &type;
    return nullptr;
}

std::string decoded_gguf_types() {
    std::string list;
    for (const GgufType& type : types)
        if (type.encoding != nullptr) list += fmt::format("{}{}", list.empty() ? "" : ", ", type.name);
    return list;
}

}  // namespace temper
