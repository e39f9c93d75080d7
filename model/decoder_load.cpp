// Reads a decoder's weights into kernel layout, one linear at a time, so that no second copy of the model is ever held.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/decoder.h"
#include "model/rope.h"

namespace temper {
namespace {

// Temporary memory for the parts of one stacked linear.
struct StackedWeights {
    std::vector<std::vector<char>> memory;
    std::vector<View> parts;
    std::vector<float> bias;
};

struct StackedNames {
    std::vector<const char*> names;
    bool bias = false;
};

StackedWeights read_stacked(const TensorSource& source, const ModelConfig& config, DType dtype, std::int64_t layer, const StackedNames& stacked) {
    StackedWeights result;
    for (const char* name : stacked.names) {
        for (const LinearShape& shape : block_linears(config)) {
            if (shape.name != name) continue;
            const std::string path = fmt::format("model.layers.{}.{}.{}", layer, shape.block, shape.name);
            result.memory.emplace_back(static_cast<std::size_t>(shape.out * shape.in * size_of(dtype)));
            result.parts.emplace_back(result.memory.back().data(), dtype, std::initializer_list<std::int64_t>{shape.out, shape.in});
            source.read(path + ".weight", result.parts.back());
            if (!stacked.bias) continue;
            const std::size_t begin = result.bias.size();
            result.bias.resize(begin + static_cast<std::size_t>(shape.out));
            source.read(path + ".bias", View(result.bias.data() + begin, DType::f32, {shape.out}));
        }
    }
    return result;
}

std::vector<AdapterSlot> adapter_slots(const ModelConfig& config, const LoraLayout& lora, std::int64_t layer, const StackedNames& stacked) {
    std::vector<AdapterSlot> slots;
    std::int64_t out_begin = 0;
    for (const char* name : stacked.names) {
        if (const LoraModule* m = lora.find(layer, name)) slots.push_back({out_begin, m->out, m->rank, m->scale, m->offset_a, m->offset_b});
        for (const LinearShape& shape : block_linears(config))
            if (shape.name == name) out_begin += shape.out;
    }
    return slots;
}

const StackedNames qkv_names(const ModelConfig& config) { return {{"q_proj", "k_proj", "v_proj"}, config.qkv_bias}; }
const StackedNames output_names{{"o_proj"}};
const StackedNames gate_up_names{{"gate_proj", "up_proj"}};
const StackedNames down_names{{"down_proj"}};

struct Tables {
    View embedding, final_norm;
    RopeTable rope;
    std::vector<View> attention_norms, mlp_norms;
};

Tables cut_tables(Arena& arena, const ModelConfig& config, const Decoder::Options& options) {
    Tables tables;
    if (!config.tied_head) tables.embedding = arena.take(options.dtype, {config.vocab_size, config.hidden_size});
    tables.final_norm = arena.take(DType::f32, {config.hidden_size});
    tables.rope.cosine = arena.take(DType::f32, {options.max_positions, config.head_size / 2});
    tables.rope.sine = arena.take(DType::f32, {options.max_positions, config.head_size / 2});
    for (std::int64_t i = 0; i < config.layers; ++i) {
        tables.attention_norms.push_back(arena.take(DType::f32, {config.hidden_size}));
        tables.mlp_norms.push_back(arena.take(DType::f32, {config.hidden_size}));
    }
    return tables;
}

}  // namespace

Decoder::Decoder(Stream& stream, const ModelFiles& files, const LoraLayout& lora, Options options)
    : stream_(stream),
      config_(files.config()),
      lora_(lora),
      options_(options),
      attention_scale_(1.0f / std::sqrt(static_cast<float>(files.config().head_size))) {
    Arena counter;
    cut_tables(counter, config_, options_);
    arena_ = Arena(counter.used());
    const Tables tables = cut_tables(arena_, config_, options_);
    embedding_ = tables.embedding;
    final_norm_ = tables.final_norm;
    rope_ = tables.rope;
    const TensorSource& source = files.weights();
    if (!config_.tied_head) source.read("model.embed_tokens.weight", embedding_);
    source.read("model.norm.weight", final_norm_);
    fill_rope_table(config_, rope_);
    lowest_adapted_ = lora_.modules.empty() ? 0 : lora_.modules.front().layer;
    for (std::int64_t i = 0; i < config_.layers; ++i) {
        const auto load = [&](const StackedNames& names) {
            StackedWeights weights = read_stacked(source, config_, options_.dtype, i, names);
            const View bias = weights.bias.empty() ? View() : View(weights.bias.data(), DType::f32, {static_cast<std::int64_t>(weights.bias.size())});
            // Below the lowest adapted layer no gradient flows.
            const bool backward = options_.training && i >= lowest_adapted_;
            return PreparedLinear(stream_, Span<const View>(weights.parts.data(), weights.parts.size()), bias,
                                  adapter_slots(config_, lora_, i, names), {backward});
        };
        Layer layer;
        layer.attention_norm = tables.attention_norms[static_cast<std::size_t>(i)];
        layer.mlp_norm = tables.mlp_norms[static_cast<std::size_t>(i)];
        const std::string block = fmt::format("model.layers.{}.", i);
        source.read(block + "input_layernorm.weight", layer.attention_norm);
        source.read(block + "post_attention_layernorm.weight", layer.mlp_norm);
        layer.qkv = load(qkv_names(config_));
        layer.output = load(output_names);
        layer.gate_up = load(gate_up_names);
        layer.down = load(down_names);
        layers_.push_back(std::move(layer));
    }
    std::vector<char> memory(static_cast<std::size_t>(config_.head_parameters() * size_of(options_.dtype)));
    const View weight(memory.data(), options_.dtype, {config_.vocab_size, config_.hidden_size});
    source.read(config_.tied_head ? "model.embed_tokens.weight" : "lm_head.weight", weight);
    head_ = PreparedLinear(stream_, Span<const View>(&weight, 1), View(), {}, {options_.training});
}

std::size_t Decoder::bytes() const {
    std::size_t total = arena_.capacity() + head_.bytes();
    for (const Layer& layer : layers_) total += layer.qkv.bytes() + layer.output.bytes() + layer.gate_up.bytes() + layer.down.bytes();
    return total;
}

namespace {

struct StackedShape {
    std::int64_t out = 0, in = 0, rank_total = 0;
};

StackedShape stacked_shape(const ModelConfig& config, const LoraLayout& lora, std::int64_t layer, const StackedNames& stacked) {
    StackedShape result;
    for (const AdapterSlot& slot : adapter_slots(config, lora, layer, stacked)) result.rank_total += slot.rank;
    for (const LinearShape& shape : block_linears(config))
        for (const char* name : stacked.names)
            if (shape.name == name) {
                result.out += shape.out;
                result.in = shape.in;
            }
    return result;
}

}  // namespace

std::size_t Decoder::predict_bytes(const ModelConfig& config, const LoraLayout& lora, Options options) {
    Arena counter;
    cut_tables(counter, config, options);
    std::size_t total =
        counter.used() + PreparedLinear::predict_bytes(options.dtype, config.vocab_size, config.hidden_size, 0, false, {options.training});
    const std::int64_t lowest = lora.modules.empty() ? 0 : lora.modules.front().layer;
    for (std::int64_t i = 0; i < config.layers; ++i)
        for (const StackedNames& names : {qkv_names(config), output_names, gate_up_names, down_names}) {
            const StackedShape shape = stacked_shape(config, lora, i, names);
            total +=
                PreparedLinear::predict_bytes(options.dtype, shape.out, shape.in, shape.rank_total, names.bias, {options.training && i >= lowest});
        }
    return total;
}

std::size_t Decoder::predict_scratch(const ModelConfig& config, const LoraLayout& lora, DType dtype, std::int64_t tokens) {
    std::size_t most = ops::linear_cross_entropy_scratch(dtype, tokens, config.hidden_size, config.vocab_size);
    for (std::int64_t i = 0; i < config.layers; ++i)
        for (const StackedNames& names : {qkv_names(config), output_names, gate_up_names, down_names}) {
            const StackedShape shape = stacked_shape(config, lora, i, names);
            most = std::max(most, ops::linear_backward_scratch(dtype, tokens, shape.out, shape.in, shape.rank_total));
        }
    return most;
}

}  // namespace temper
