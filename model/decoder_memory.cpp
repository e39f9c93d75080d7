// What a decoder, its activations and its cache hold, cut from arenas: once to count, once to own.
#include <algorithm>

#include "model/decoder.h"

namespace temper {
namespace {

// Sum of the adapters' ranks of the linears of one layer that are computed as one.
std::int64_t ranks(const ModelConfig& config, const LoraLayout& lora, std::int64_t layer, Stack stack) {
    std::int64_t total = 0;
    for (const LinearShape& linear : block_linears(config)) {
        if (linear.stack != stack) continue;
        if (const LoraModule* module = lora.find(layer, linear.name)) total += module->rank;
    }
    return total;
}

View take_if(Arena& arena, DType dtype, std::int64_t rows, std::int64_t columns) { return columns > 0 ? arena.take(dtype, {rows, columns}) : View(); }

View first_rows(View view, std::int64_t n) { return view.rank == 0 ? View() : view.rows(0, n); }

}  // namespace

// Kind by kind, all layers of one together: rows of frozen tokens may reach into the next layer's then.
void Activations::cut(Arena& arena, const ModelConfig& config, const LoraLayout& lora, DType dtype) {
    const std::int64_t t = tokens_, all = tokens_ + frozen_, d = config.hidden_size, f = config.intermediate_size;
    const bool training = keep_ != Keep::nothing;
    layers_.assign(static_cast<std::size_t>(config.layers), Layer());
    const auto take = [&](View Layer::*kind, DType type, std::int64_t columns, bool one_a_layer) {
        const View rows = arena.take(type, {(one_a_layer ? (config.layers - 1) * t : 0) + all, columns});
        if (rows.empty()) return;  // only counted
        for (std::size_t i = 0; i < layers_.size(); ++i) layers_[i].*kind = rows.rows(one_a_layer ? static_cast<std::int64_t>(i) * t : 0, all);
    };
    const bool kept = keep_ == Keep::all;
    take(&Layer::residual_in, dtype, d, training);
    take(&Layer::qkv, dtype, config.qkv_size(), kept);
    take(&Layer::attended, dtype, config.attention_size(), kept);
    take(&Layer::residual_mid, dtype, d, kept);
    take(&Layer::gate_up, dtype, 2 * f, kept);
    if (config.qk_norm && training) take(&Layer::qk, dtype, config.qkv_size() - config.key_value_heads * config.head_size, kept);
    if (config.post_norms) {
        take(&Layer::attention_out, dtype, d, kept);
        take(&Layer::mlp_out, dtype, d, kept);
    }
    if (training) {
        take(&Layer::lse, DType::f32, config.heads, kept);
        cut_adapters(arena, config, lora, dtype);
    }
    thinned_attended_ = arena.take(dtype, {all, config.attention_size()});
    output_ = training ? arena.take(dtype, {all, d}) : layers_.front().residual_in;
    hidden_ = arena.take(dtype, {all, d});
    normed_ = arena.take(dtype, {all, d});
    activated_ = arena.take(dtype, {all, f});
    if (!training) return;
    d_residual_ = arena.take(dtype, {t, d});
    d_normed_ = arena.take(dtype, {t, d});
    d_attended_ = arena.take(dtype, {t, config.attention_size()});
    d_qkv_ = arena.take(dtype, {t, config.qkv_size()});
    d_activated_ = arena.take(dtype, {t, f});
}

// Layers may differ in their ranks. Shared buffers do for the layer with the most, and one with fewer sees its part.
void Activations::cut_adapters(Arena& arena, const ModelConfig& config, const LoraLayout& lora, DType dtype) {
    const std::pair<View Layer::*, Stack> kinds[] = {
        {&Layer::s_qkv, Stack::qkv}, {&Layer::s_output, Stack::output}, {&Layer::s_gate_up, Stack::gate_up}, {&Layer::s_down, Stack::down}};
    for (const auto& [kind, stack] : kinds) {
        std::int64_t most = 0;
        for (std::int64_t i = 0; i < config.layers; ++i) most = std::max(most, ranks(config, lora, i, stack));
        const View shared = keep_ == Keep::all ? View() : take_if(arena, dtype, tokens_, most);
        for (std::int64_t i = 0; i < config.layers; ++i) {
            const std::int64_t columns = ranks(config, lora, i, stack);
            View& s = layers_[static_cast<std::size_t>(i)].*kind;
            if (keep_ == Keep::all) s = take_if(arena, dtype, tokens_, columns);
            else s = columns > 0 ? shared.columns(0, columns) : View();
        }
    }
}

Activations::Activations(Device device, const ModelConfig& config, const LoraLayout& lora, DType dtype, std::int64_t tokens, Keep keep,
                         std::int64_t frozen)
    : tokens_(tokens), frozen_(frozen), keep_(keep) {
    Arena counter;
    cut(counter, config, lora, dtype);
    arena_ = Arena(counter.used(), memory_of(device));
    cut(arena_, config, lora, dtype);
}

std::size_t Activations::predict_bytes(const ModelConfig& config, const LoraLayout& lora, DType dtype, std::int64_t tokens, Keep keep,
                                       std::int64_t frozen) {
    Activations counted(Device::cpu, config, lora, dtype, 0, keep);
    counted.tokens_ = tokens;
    counted.frozen_ = frozen;
    Arena counter;
    counted.cut(counter, config, lora, dtype);
    return counter.used();
}

Activations::Layer Activations::layer(std::int64_t index, std::int64_t n, std::int64_t adapted) const {
    Layer layer = layers_[static_cast<std::size_t>(index)];
    for (View* view : {&layer.residual_in, &layer.qkv, &layer.attended, &layer.lse, &layer.residual_mid, &layer.gate_up, &layer.qk,
                       &layer.attention_out, &layer.mlp_out})
        *view = first_rows(*view, n);
    for (View* view : {&layer.s_qkv, &layer.s_output, &layer.s_gate_up, &layer.s_down}) *view = first_rows(*view, adapted < 0 ? n : adapted);
    return layer;
}

Activations::Layer Activations::thinned(std::int64_t n, std::int64_t m, std::int64_t adapted) const {
    const std::int64_t last = static_cast<std::int64_t>(layers_.size()) - 1;
    Layer layer = this->layer(last, m, adapted);
    const Layer whole = this->layer(last, n, 0);
    layer.qkv = whole.qkv;
    layer.lse = whole.lse;
    layer.qk = whole.qk;
    layer.residual_in = normed(m);  // gathered there for as long as the output projection adds it
    layer.attended = first_rows(thinned_attended_, m);
    return layer;
}

KvCache::KvCache(Device device, const ModelConfig& config, DType dtype, std::int64_t slots, std::int64_t capacity) : capacity_(capacity) {
    const std::int64_t rows = slots * capacity, width = config.key_value_heads * config.head_size;
    const auto cut = [&](Arena& arena) {
        keys_.clear();
        values_.clear();
        for (std::int64_t i = 0; i < config.layers; ++i) {
            keys_.push_back(arena.take(dtype, {rows, width}));
            values_.push_back(arena.take(dtype, {rows, width}));
        }
    };
    Arena counter;
    cut(counter);
    arena_ = Arena(counter.used(), memory_of(device));
    cut(arena_);
}

}  // namespace temper
