#include "io/gguf_quants.h"

namespace temper {

namespace {

constexpr int block = 32, half = block / 2;

float scale_at(const std::uint8_t* bytes) {
    std::uint16_t stored;
    std::memcpy(&stored, bytes, 2);
    return from_f16(stored);
}

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

constexpr Encoding encoding_q8_0{block, 2 + block, q8_0_to_f32}, encoding_q4_0{block, 2 + half, q4_0_to_f32},
    encoding_q4_1{block, 4 + half, q4_1_to_f32};

// Every type that a file may hold, so that all extents can be checked. [ggml.h, enum ggml_type]
constexpr GgufType types[] = {
    {0, "F32", 1, 4, &encoding_f32},   {1, "F16", 1, 2, &encoding_f16},  {2, "Q4_0", 32, 18, &encoding_q4_0}, {3, "Q4_1", 32, 20, &encoding_q4_1},
    {6, "Q5_0", 32, 22, nullptr},      {7, "Q5_1", 32, 24, nullptr},     {8, "Q8_0", 32, 34, &encoding_q8_0}, {10, "Q2_K", 256, 84, nullptr},
    {11, "Q3_K", 256, 110, nullptr},   {12, "Q4_K", 256, 144, nullptr},  {13, "Q5_K", 256, 176, nullptr},     {14, "Q6_K", 256, 210, nullptr},
    {16, "IQ2_XXS", 256, 66, nullptr}, {17, "IQ2_XS", 256, 74, nullptr}, {18, "IQ3_XXS", 256, 98, nullptr},   {19, "IQ1_S", 256, 50, nullptr},
    {20, "IQ4_NL", 32, 18, nullptr},   {21, "IQ3_S", 256, 110, nullptr}, {22, "IQ2_S", 256, 82, nullptr},     {23, "IQ4_XS", 256, 136, nullptr},
    {24, "I8", 1, 1, nullptr},         {25, "I16", 1, 2, nullptr},       {26, "I32", 1, 4, nullptr},          {27, "I64", 1, 8, nullptr},
    {28, "F64", 1, 8, nullptr},        {29, "IQ1_M", 256, 56, nullptr},  {30, "BF16", 1, 2, &encoding_bf16},  {34, "TQ1_0", 256, 54, nullptr},
    {35, "TQ2_0", 256, 66, nullptr},   {39, "MXFP4", 32, 17, nullptr},
};

}  // namespace

const GgufType* find_gguf_type(std::uint32_t id) {
    for (const GgufType& type : types)
        if (type.id == id) return &type;
    return nullptr;
}

}  // namespace temper
