#include "io/tensors/gguf_quants.h"

namespace temper {

namespace {

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
