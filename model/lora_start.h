// Adapters that start from the weights themselves: PiSSA (the largest singular values) and OLoRA (the leading part of QR). The frozen weight
// becomes W - scale * B A, rounded once, and training goes on from there; what is saved is the difference adapter, which fits the weights as
// they were.                                                       [Meng et al. 2024; Büyükakyüz 2024; peft 0.21.2]
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "io/tensors/tensor_source.h"
#include "model/lora.h"

namespace temper {

// pissa, pissa_niter_N or olora.
bool starts_from_weights(const LoraSettings& settings);
bool known_lora_start(const std::string& init);

// Usage error for a rank above what a weight has, or so large that what is saved, of twice the rank, would not be read.
void check_lora_start(const LoraLayout& layout);
// One of several ranks that share the modules.
struct StartShare {
    int rank = 0, ranks = 1;
};
// The rank that works out each module: the dearest are dealt out first, each to the one with the least to do, so that all end together.
std::vector<int> start_owners(const LoraLayout& layout, int ranks);
// A and B of the share's modules, a pure function of the weights (rounded to dtype), the settings and the seed, but for the sign of a singular
// vector, which the BLAS of another processor may choose otherwise: ranks take each module from one of them. `before_each` module may throw.
void start_from_weights(const LoraLayout& layout, const TensorSource& weights, DType dtype, std::uint64_t seed, int threads, StartShare share,
                        float* parameters, const std::function<void()>& before_each = {});
// Memory of working out the largest module on so many threads.
std::int64_t start_bytes(const LoraLayout& layout, int threads);
// weight (out, in), f32 or bf16: W - scale * B A.
void subtract_start(View weight, const LoraModule& module, const float* start);

// [A; A0] and [B, -B0]: scale * (B A - B0 A0) with twice the rank.
struct DifferenceAdapter {
    LoraLayout layout;
    std::vector<float> parameters;
};
DifferenceAdapter difference_adapter(const ModelConfig& config, const LoraLayout& layout, const float* trained, const float* start);

}  // namespace temper
