// Adapters that start from the weights themselves: PiSSA (the largest singular values) and OLoRA (the leading part of QR). The frozen weight
// becomes W - scale * B A, rounded once, and training goes on from there; what is saved is the difference adapter, which fits the weights as
// they were.                                                       [Meng et al. 2024; Büyükakyüz 2024; peft 0.21.2]
#pragma once
#include <cstdint>
#include <vector>

#include "io/tensor_source.h"
#include "model/lora.h"

namespace temper {

// pissa, pissa_niter_N or olora.
bool starts_from_weights(const LoraSettings& settings);
bool known_lora_start(const std::string& init);

// A and B of every module, a pure function of the weights (rounded to dtype), the settings and the seed. Usage error for a rank above what a
// weight has.
void start_from_weights(const LoraLayout& layout, const TensorSource& weights, DType dtype, std::uint64_t seed, int threads, float* parameters);
// weight (out, in), f32 or bf16: W - scale * B A.
void subtract_start(View weight, const LoraModule& module, const float* start);

// [A; A0] and [B, -B0]: scale * (B A - B0 A0) with twice the rank.
struct DifferenceAdapter {
    LoraLayout layout;
    std::vector<float> parameters;
};
DifferenceAdapter difference_adapter(const ModelConfig& config, const LoraLayout& layout, const float* trained, const float* start);

}  // namespace temper
