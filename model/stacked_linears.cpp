#include "model/stacked_linears.h"

namespace temper {

std::string stacked_weight_name(const LinearShape& shape, std::int64_t layer) {
    return fmt::format("model.layers.{}.{}.{}.weight", layer, shape.block, shape.name);
}

const char* head_weight_name(const ModelConfig& config) { return config.tied_head ? "model.embed_tokens.weight" : "lm_head.weight"; }

std::vector<QuantShape> quantized_parts(const TensorSource* source, const ModelConfig& config, std::int64_t layer, Stack stack) {
    std::vector<QuantShape> parts;
    bool any = false;
    for (const LinearShape& shape : block_linears(config)) {
        if (source == nullptr || shape.stack != stack) continue;
        parts.push_back({source->kept_as(stacked_weight_name(shape, layer)), shape.out, shape.in});
        any = any || parts.back().format.quantized();
    }
    if (!any) parts.clear();
    return parts;
}

bool head_is_quantized(Device device, const TensorSource* source, const ModelConfig& config) {
    return device == Device::cpu && source != nullptr && source->kept_as(head_weight_name(config)).quantized();
}

std::vector<AdapterSlot> adapter_slots(const ModelConfig& config, const LoraLayout& lora, std::int64_t layer, Stack stack) {
    std::vector<AdapterSlot> slots;
    std::int64_t out_begin = 0;
    for (const LinearShape& shape : block_linears(config)) {
        if (shape.stack != stack) continue;
        if (const LoraModule* m = lora.find(layer, shape.name))
            slots.push_back({out_begin, m->out, m->rank, m->scale, m->offset_a, m->offset_b, m->offset_m, m->index});
        out_begin += shape.out;
    }
    return slots;
}

std::int64_t lowest_trained(const LoraLayout& lora) {
    return lora.modules.empty() || lora.saved_embedding() != nullptr ? 0 : lora.modules.front().layer;
}

StackedShape stacked_shape(const ModelConfig& config, const LoraLayout& lora, std::int64_t layer, Stack stack) {
    StackedShape result;
    for (const AdapterSlot& slot : adapter_slots(config, lora, layer, stack)) result.rank_total += slot.rank;
    for (const LinearShape& shape : block_linears(config)) {
        if (shape.stack != stack) continue;
        result.out += shape.out;
        result.in = shape.in;
        result.bias = shape.bias;
    }
    return result;
}

}  // namespace temper
