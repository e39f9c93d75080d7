// Reads a decoder's weights into kernel layout, a few linears at a time, so that no second copy of the model is ever held.
#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>

#include "io/jobs.h"
#include "model/decoder.h"
#include "model/lora_start.h"
#include "model/rope.h"
#include "model/stacked_linears.h"

namespace temper {
namespace {

// The parts of one stacked linear as the file holds them, in memory that the next one of the thread uses again.
class Staging {
  public:
    // A linear that stays quantised, and its bias.
    void read_quantized(const TensorSource& source, const ModelConfig& config, std::int64_t layer, Stack stack) {
        matrices_.clear();
        bias_.clear();
        for (const LinearShape& shape : block_linears(config)) {
            if (shape.stack != stack) continue;
            matrices_.emplace_back();
            source.read_quantized(stacked_weight_name(shape, layer), matrices_.back());
            if (shape.bias) read_bias(source, shape, layer);
        }
        collect_quantized();
    }
    void read_quantized_head(const TensorSource& source, const ModelConfig& config) {
        matrices_.clear();
        bias_.clear();
        matrices_.emplace_back();
        source.read_quantized(head_weight_name(config), matrices_.back());
        collect_quantized();
    }
    Span<const QuantView> quantized() const { return {quantized_.data(), quantized_.size()}; }

    void read(const TensorSource& source, const ModelConfig& config, DType dtype, std::int64_t layer, Stack stack) {
        parts_.clear();
        bias_.clear();
        std::vector<LinearShape> found;
        std::int64_t elements = 0;
        for (const LinearShape& shape : block_linears(config)) {
            if (shape.stack != stack) continue;
            found.push_back(shape);
            elements += shape.out * shape.in;
        }
        char* at = reserve(elements, dtype);
        for (const LinearShape& shape : found) {
            parts_.emplace_back(at, dtype, std::initializer_list<std::int64_t>{shape.out, shape.in});
            at += shape.out * shape.in * size_of(dtype);
            source.read(stacked_weight_name(shape, layer), parts_.back());
            if (shape.bias) read_bias(source, shape, layer);
        }
    }
    void read_head(const TensorSource& source, const ModelConfig& config, DType dtype) {
        bias_.clear();
        char* const at = reserve(config.head_parameters(), dtype);
        parts_ = {View(at, dtype, {config.vocab_size, config.hidden_size})};
        source.read(head_weight_name(config), parts_.front());
    }
    // Where the adapters start from the weights: what they take over leaves them.
    void subtract(const LoraLayout& lora, std::int64_t layer, Stack stack, const ModelConfig& config, const float* start) {
        std::size_t part = 0;
        for (const LinearShape& shape : block_linears(config)) {
            if (shape.stack != stack) continue;
            if (const LoraModule* module = lora.find(layer, shape.name)) subtract_start(parts_[part], *module, start);
            ++part;
        }
    }
    Span<const View> parts() const { return {parts_.data(), parts_.size()}; }
    View bias() { return bias_.empty() ? View() : View(bias_.data(), DType::f32, {static_cast<std::int64_t>(bias_.size())}); }

  private:
    void read_bias(const TensorSource& source, const LinearShape& shape, std::int64_t layer) {
        const std::size_t begin = bias_.size();
        bias_.resize(begin + static_cast<std::size_t>(shape.out));
        source.read(fmt::format("model.layers.{}.{}.{}.bias", layer, shape.block, shape.name), View(bias_.data() + begin, DType::f32, {shape.out}));
    }
    void collect_quantized() {
        quantized_.clear();
        for (const QuantMatrix& matrix : matrices_) quantized_.push_back(matrix.view);
    }
    char* reserve(std::int64_t elements, DType dtype) {
        const std::size_t bytes = static_cast<std::size_t>(elements * size_of(dtype)) + 64;
        constexpr std::size_t large = std::size_t{64} << 20;
        if (bytes > memory_.capacity() || (memory_.capacity() > large && bytes < memory_.capacity() / 2)) {
            memory_ = Arena();
            memory_ = Arena(bytes);
        }
        memory_.reset();
        return static_cast<char*>(memory_.take(dtype, {elements}).data);
    }
    Arena memory_;
    std::vector<View> parts_;
    std::vector<QuantMatrix> matrices_;
    std::vector<QuantView> quantized_;
    std::vector<float> bias_;
};

struct Norms {
    View attention, mlp, attention_out, mlp_out, query, key;
};

struct Tables {
    View embedding, final_norm;
    RopeTable rope, local_rope;
    std::vector<Norms> norms;
};

RopeTable take_rope(Arena& arena, const ModelConfig& config, std::int64_t positions) {
    const View cosine = arena.take(DType::f32, {positions, config.rotary_size / 2});
    return {cosine, arena.take(DType::f32, {positions, config.rotary_size / 2})};
}

Tables cut_tables(Arena& arena, const ModelConfig& config, const Decoder::Options& options) {
    Tables tables;
    if (!config.tied_head) tables.embedding = arena.take(options.dtype, {config.vocab_size, config.hidden_size});
    tables.final_norm = arena.take(DType::f32, {config.hidden_size});
    tables.rope = take_rope(arena, config, options.max_positions);
    if (config.local_rope_theta > 0.0) tables.local_rope = take_rope(arena, config, options.max_positions);
    const NormNames names = norm_names(config);
    const auto take = [&](const std::string& name, std::int64_t size) { return name.empty() ? View() : arena.take(DType::f32, {size}); };
    for (std::int64_t i = 0; i < config.layers; ++i) {
        Norms norms;
        norms.attention = take(names.attention, config.hidden_size);
        norms.mlp = take(names.mlp, config.hidden_size);
        norms.attention_out = take(names.attention_out, config.hidden_size);
        norms.mlp_out = take(names.mlp_out, config.hidden_size);
        norms.query = take(names.query, config.head_size);
        norms.key = take(names.key, config.head_size);
        tables.norms.push_back(norms);
    }
    return tables;
}

void read_norm(const TensorSource& source, const ModelConfig& config, const std::string& name, View norm) {
    source.read(name + ".weight", norm);
    if (!config.norm_plus_one) return;
    for (std::int64_t i = 0; i < norm.size(0); ++i) norm.as<float>()[i] += 1.0f;
}

void read_tables(const TensorSource& source, const ModelConfig& config, const Tables& tables) {
    if (!config.tied_head) source.read("model.embed_tokens.weight", tables.embedding);
    read_norm(source, config, "model.norm", tables.final_norm);
    fill_rope_table(config, tables.rope);
    if (config.local_rope_theta > 0.0) fill_local_rope_table(config, tables.local_rope);
    const NormNames names = norm_names(config);
    for (std::int64_t i = 0; i < config.layers; ++i) {
        const Norms& layer = tables.norms[static_cast<std::size_t>(i)];
        const std::pair<const std::string&, View> norms[] = {
            {names.attention, layer.attention}, {names.mlp, layer.mlp},     {names.attention_out, layer.attention_out},
            {names.mlp_out, layer.mlp_out},     {names.query, layer.query}, {names.key, layer.key}};
        for (const auto& [name, norm] : norms)
            if (!name.empty()) read_norm(source, config, fmt::format("model.layers.{}.{}", i, name), norm);
    }
}

AttentionRule rule_of(const ModelConfig& config, std::int64_t layer, bool library) {
    AttentionRule rule;
    rule.library = library;
    rule.scale = config.attention_scale > 0.0 ? static_cast<float>(config.attention_scale) : 1.0f / std::sqrt(static_cast<float>(config.head_size));
    rule.window = config.window(layer);
    rule.softcap = static_cast<float>(config.attention_softcap);
    return rule;
}

}  // namespace

Decoder::Decoder(Stream& stream, const ModelFiles& files, const LoraLayout& lora, Options options)
    : stream_(stream), config_(files.config()), lora_(lora), options_(options) {
    Arena counter;
    cut_tables(counter, config_, options_);
    arena_ = Arena(counter.used());
    read_tables(files.weights(), config_, cut_tables(arena_, config_, options_));
    arena_.reset();
    if (stream_.device() != Device::cpu) arena_ = arena_.moved(stream_);
    const Tables tables = cut_tables(arena_, config_, options_);
    embedding_ = tables.embedding;
    final_norm_ = tables.final_norm;
    lowest_adapted_ = lowest_trained(lora_);
    for (std::int64_t i = 0; i < config_.layers; ++i) {
        const Norms& norms = tables.norms[static_cast<std::size_t>(i)];
        Layer layer;
        layer.attention_norm = norms.attention, layer.mlp_norm = norms.mlp;
        layer.attention_out_norm = norms.attention_out, layer.mlp_out_norm = norms.mlp_out;
        layer.query_norm = norms.query, layer.key_norm = norms.key;
        layer.rule = rule_of(config_, i, options_.library_attention);
        layer.rope = config_.local_rope_theta > 0.0 && layer.rule.window > 0 ? tables.local_rope : tables.rope;
        layers_.push_back(std::move(layer));
    }
    load_linears(files.weights());
}

// What only reads, and in float32, takes the layout that is made once and not in every product.
static PreparedLinear::Options layout_of(const Decoder::Options& options, std::size_t slots, bool quantized, bool backward, Device device) {
    PreparedLinear::Options layout{backward, false, device};
    layout.panels = options.dtype == DType::f32 && !options.training && slots == 0 && !quantized;
    return layout;
}

// One linear is a job of one thread, the head, the largest, the first.
void Decoder::load_linears(const TensorSource& source) {
    constexpr int most_loaders = 4;  // each holds one linear as the file has it; more would wait for memory, not for processors
    std::mutex device_turn;          // a device has one queue: linears go over one at a time, read while others do
    run_jobs<Staging>(std::min(stream_.threads(), most_loaders), 1 + 4 * config_.layers, [&](std::int64_t job, Staging& staging) {
        Stream host(1, stream_.isa());
        const bool on_host = stream_.device() == Device::cpu;
        Stream& stream = on_host ? host : stream_;
        std::unique_lock turn(device_turn, std::defer_lock);
        if (job == 0) {
            const bool quantized = head_is_quantized(stream_.device(), &source, config_);
            if (quantized) staging.read_quantized_head(source, config_);
            else staging.read_head(source, config_, options_.dtype);
            if (!on_host) turn.lock();
            head_ = quantized ? PreparedLinear(stream, staging.quantized(), options_.dtype, View(), {}, {options_.training})
                              : PreparedLinear(stream, staging.parts(), View(), {}, {options_.training});
            return;
        }
        const std::int64_t index = (job - 1) / 4;
        Layer& layer = layers_[static_cast<std::size_t>(index)];
        const Stack stack = all_stacks[(job - 1) % 4];
        const bool quantized = !quantized_parts(&source, config_, index, stack).empty();
        if (quantized) staging.read_quantized(source, config_, index, stack);
        else staging.read(source, config_, options_.dtype, index, stack);
        if (options_.start != nullptr && quantized)
            throw_error(
                ExitCode::usage,
                "lora.init_lora_weights: pissa and olora change the weights that they start from, and those of {} are quantised; take true or "
                "gaussian, or weights that are not quantised",
                source.describe());
        if (options_.start != nullptr) staging.subtract(lora_, index, stack, config_, options_.start);
        const bool backward = options_.training && index >= lowest_adapted_;  // below the lowest adapted layer no gradient flows
        if (!on_host) turn.lock();
        std::vector<AdapterSlot> slots = adapter_slots(config_, lora_, index, stack);
        const PreparedLinear::Options layout = layout_of(options_, slots.size(), quantized, backward, stream.device());
        PreparedLinear linear = quantized ? PreparedLinear(stream, staging.quantized(), options_.dtype, staging.bias(), std::move(slots), layout)
                                          : PreparedLinear(stream, staging.parts(), staging.bias(), std::move(slots), layout);
        switch (stack) {
            case Stack::qkv: layer.qkv = std::move(linear); break;
            case Stack::output: layer.output = std::move(linear); break;
            case Stack::gate_up: layer.gate_up = std::move(linear); break;
            case Stack::down: layer.down = std::move(linear); break;
        }
    });
}

std::size_t Decoder::bytes() const {
    std::size_t total = arena_.capacity() + head_.bytes();
    for (const Layer& layer : layers_) total += layer.qkv.bytes() + layer.output.bytes() + layer.gate_up.bytes() + layer.down.bytes();
    return total;
}

std::size_t Decoder::predict_bytes(Device device, const ModelConfig& config, const LoraLayout& lora, Options options, const TensorSource* weights) {
    Arena counter;
    cut_tables(counter, config, options);
    const PreparedLinear::Options head{options.training, false, device};
    std::size_t total = counter.used();
    if (head_is_quantized(device, weights, config)) {
        const QuantShape shape{weights->kept_as(head_weight_name(config)), config.vocab_size, config.hidden_size};
        total += PreparedLinear::predict_bytes(options.dtype, {&shape, 1}, 0, false, head);
    } else total += PreparedLinear::predict_bytes(options.dtype, config.vocab_size, config.hidden_size, 0, false, head);
    const std::int64_t lowest = lowest_trained(lora);
    for (std::int64_t i = 0; i < config.layers; ++i)
        for (const Stack stack : all_stacks) {
            const StackedShape shape = stacked_shape(config, lora, i, stack);
            const std::vector<QuantShape> parts = quantized_parts(weights, config, i, stack);
            PreparedLinear::Options linear =
                layout_of(options, adapter_slots(config, lora, i, stack).size(), !parts.empty(), options.training && i >= lowest, device);
            linear.dora = lora.settings.use_dora;
            total += parts.empty() ? PreparedLinear::predict_bytes(options.dtype, shape.out, shape.in, shape.rank_total, shape.bias, linear)
                                   : PreparedLinear::predict_bytes(options.dtype, parts, shape.rank_total, shape.bias, linear);
        }
    return total;
}

std::size_t Decoder::predict_scratch(Device device, const ModelConfig& config, const LoraLayout& lora, DType dtype, std::int64_t tokens,
                                     std::int64_t labels, std::int64_t longest, int threads, const TensorSource* weights) {
    const bool quantized_head = head_is_quantized(device, weights, config);
    const std::size_t expanded = quantized_head ? ops::quantized_head_scratch(device, dtype, config.hidden_size, config.vocab_size, threads) : 0;
    std::size_t most = std::max(expanded + ops::linear_cross_entropy_scratch(device, dtype, labels, config.hidden_size, config.vocab_size, threads),
                                ops::attention_backward_scratch(device, dtype, tokens, config.heads, config.key_value_heads, config.head_size,
                                                                std::min(tokens, longest), threads));
    if (lora.saved_head() != nullptr) most = std::max(most, ops::linear_cross_entropy_weight_scratch(device, labels, config.hidden_size, threads));
    for (std::int64_t i = 0; i < config.layers; ++i)
        for (const Stack stack : all_stacks) {
            const StackedShape shape = stacked_shape(config, lora, i, stack);
            const bool adapted = shape.rank_total > 0;
            const ops::LinearVariant variant{adapted && lora.settings.use_dora, adapted && lora.settings.dropout > 0.0,
                                             !quantized_parts(weights, config, i, stack).empty()};
            most = std::max(most, ops::linear_backward_scratch(device, dtype, tokens, shape.out, shape.in, shape.rank_total, threads, variant));
        }
    most = std::max(most, ops::vector_ops_scratch(device, dtype, tokens, std::max(config.hidden_size, config.attention_size()), lora.parameters));
    return most + 4096;  // parts begin at multiples of 64 bytes
}

}  // namespace temper
