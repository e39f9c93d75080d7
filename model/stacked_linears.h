// The linears of a decoder's layers as they are computed: those of one stack as one. Internal to model/.
#pragma once
#include <string>
#include <vector>

#include "kernels/ops.h"
#include "model/config.h"
#include "model/lora.h"
#include "model/weight_names.h"

namespace temper {

constexpr Stack all_stacks[] = {Stack::qkv, Stack::output, Stack::gate_up, Stack::down};

struct StackedShape {
    std::int64_t out = 0, in = 0, rank_total = 0;
    bool bias = false;
};
StackedShape stacked_shape(const ModelConfig& config, const LoraLayout& lora, std::int64_t layer, Stack stack);
std::vector<AdapterSlot> adapter_slots(const ModelConfig& config, const LoraLayout& lora, std::int64_t layer, Stack stack);
// Of a linear that stays quantised; none where all of its parts are plain, or no source is given.
std::vector<QuantShape> quantized_parts(const TensorSource* source, const ModelConfig& config, std::int64_t layer, Stack stack);
// A CUDA device makes numbers of a quantised weight whole, so that a head would take more memory than it saved: there it is dequantised as it is read.
bool head_is_quantized(Device device, const TensorSource* source, const ModelConfig& config);
// The lowest layer that a gradient flows through.
std::int64_t lowest_trained(const LoraLayout& lora);

std::string stacked_weight_name(const LinearShape& shape, std::int64_t layer);
const char* head_weight_name(const ModelConfig& config);

}  // namespace temper
