// The matrix products of a decoder's passes, met before it has weights: one linear of each kind, blank, goes through what a run does with it.
#include <algorithm>
#include <set>

#include "kernels/rehearsal.h"
#include "model/decoder.h"
#include "model/stacked_linears.h"

namespace temper {
namespace {

// Offsets as if these adapters were alone, so that a row of their gradients stays small.
std::vector<AdapterSlot> moved_together(std::vector<AdapterSlot> slots, std::int64_t in) {
    std::int64_t at = 0;
    for (AdapterSlot& slot : slots) {
        slot.offset_a = at;
        slot.offset_b = slot.offset_a + slot.rank * in;
        at = slot.offset_b + slot.out_size * slot.rank;
        if (slot.offset_m < 0) continue;
        slot.offset_m = at;
        at += slot.out_size;
    }
    return slots;
}

// What decides a linear's products. Layers are alike as a rule: each kind is rehearsed once.
struct Kind {
    StackedShape shape;
    std::vector<AdapterSlot> slots;
    std::vector<QuantShape> parts;
    ops::LinearUse use;

    std::string name() const {
        std::string name = fmt::format("{} {} {} {} {}", shape.out, shape.in, shape.bias, use.backward, use.residual);
        for (const AdapterSlot& slot : slots) name += fmt::format(" [{} {} {} {}]", slot.out_begin, slot.out_size, slot.rank, slot.offset_m >= 0);
        for (const QuantShape& part : parts)
            name += fmt::format(" ({} {} {} {})", part.out, static_cast<const void*>(part.format.encoding), part.format.block_size,
                                part.format.nested_block);
        return name;
    }

    void rehearse(Stream& stream, DType dtype) const {
        using Bias = PreparedLinear::Bias;
        // Whether a bias is the same numbers in bfloat16 is not known yet.
        for (const Bias bias : {Bias::none, Bias::fits, Bias::wide}) {
            if ((bias != Bias::none) != shape.bias) continue;
            const PreparedLinear linear = PreparedLinear::blank(stream, dtype, shape.out, shape.in, parts, slots, {use.backward}, bias);
            ops::rehearse_linear(stream, linear, use);
        }
    }
};

}  // namespace

void Decoder::rehearse(Stream& stream, const ModelConfig& config, const LoraLayout& lora, Options options, const TensorSource* weights) {
    const std::int64_t lowest = lowest_trained(lora);
    std::set<std::string> done;
    for (std::int64_t i = 0; i < config.layers; ++i)
        for (const Stack stack : all_stacks) {
            Kind kind;
            kind.shape = stacked_shape(config, lora, i, stack);
            kind.slots = moved_together(adapter_slots(config, lora, i, stack), kind.shape.in);
            kind.parts = quantized_parts(weights, config, i, stack);
            kind.use.backward = options.training && i >= lowest;
            kind.use.residual = !config.post_norms && (stack == Stack::output || stack == Stack::down);
            kind.use.dropout = options.training && !kind.slots.empty() && lora.settings.dropout > 0.0;
            if (done.insert(kind.name()).second) kind.rehearse(stream, options.dtype);
        }
    std::vector<QuantShape> parts;
    if (head_is_quantized(stream.device(), weights, config))
        parts.push_back({weights->kept_as(head_weight_name(config)), config.vocab_size, config.hidden_size});
    const PreparedLinear head = PreparedLinear::blank(stream, options.dtype, config.vocab_size, config.hidden_size, parts, {}, {options.training},
                                                      PreparedLinear::Bias::none);
    ops::rehearse_head(stream, head, {!options.training, options.training, options.training, options.training && lora.saved_head() != nullptr});
}

}  // namespace temper
