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
View most_rows(View view, std::int64_t n) { return view.rank == 0 ? View() : view.rows(0, std::min(n, view.size(0))); }

}  // namespace

// Kind by kind, all layers of one together: rows of frozen tokens may reach into the next layer's then, and the last layer's end with the outputs
// where they lie behind its attention.
void Activations::cut(Arena& arena, const ModelConfig& config, const LoraLayout& lora, DType dtype) {
    const std::int64_t t = tokens_, all = tokens_ + frozen_, m = outputs_, d = config.hidden_size, f = config.intermediate_size;
    const std::int64_t last = config.layers - 1;
    const bool training = keep_ != Keep::nothing, kept = keep_ == Keep::all;
    layers_.assign(static_cast<std::size_t>(config.layers), Layer());
    const auto take_up_to = [&](std::int64_t of_last, View Layer::*kind, DType type, std::int64_t columns, bool one_a_layer) {
        const std::int64_t before_last = last > 0 ? (last - 1) * t + all : 0;
        const View rows = arena.take(type, {one_a_layer ? std::max(before_last, last * t + of_last) : all, columns});
        if (rows.empty()) return;  // only counted
        for (std::int64_t i = 0; i <= last; ++i)
            layers_[static_cast<std::size_t>(i)].*kind = one_a_layer ? rows.rows(i * t, i == last ? of_last : all) : rows;
    };
    const auto take = [&](View Layer::*kind, DType type, std::int64_t columns, bool one_a_layer) {
        take_up_to(all, kind, type, columns, one_a_layer);
    };
    const auto take_behind = [&](View Layer::*kind, std::int64_t columns) { take_up_to(m, kind, dtype, columns, kept); };
    take(&Layer::residual_in, dtype, d, training);
    take(&Layer::qkv, dtype, config.qkv_size(), kept);
    take(&Layer::attended, dtype, config.attention_size(), kept);
    take_behind(&Layer::residual_mid, d);
    take_behind(&Layer::gate_up, 2 * f);
    if (config.qk_norm && training) take(&Layer::qk, dtype, config.qkv_size() - config.key_value_heads * config.head_size, kept);
    if (config.post_norms) {
        take_behind(&Layer::attention_out, d);
        take_behind(&Layer::mlp_out, d);
    }
    if (training) {
        take(&Layer::lse, DType::f32, config.heads, kept);
        cut_adapters(arena, config, lora, dtype);
    }
    thinned_attended_ = arena.take(dtype, {m, config.attention_size()});
    output_ = training ? arena.take(dtype, {m, d}) : layers_.front().residual_in;
    hidden_ = arena.take(dtype, {m, d});
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
                         std::int64_t frozen, std::int64_t outputs)
    : tokens_(tokens), frozen_(frozen), outputs_(outputs < 0 ? tokens + frozen : std::min(outputs, tokens + frozen)), keep_(keep) {
    Arena counter;
    cut(counter, config, lora, dtype);
    arena_ = Arena(counter.used(), memory_of(device));
    cut(arena_, config, lora, dtype);
}

std::size_t Activations::predict_bytes(const ModelConfig& config, const LoraLayout& lora, DType dtype, std::int64_t tokens, Keep keep,
                                       std::int64_t frozen, std::int64_t outputs) {
    Activations counted(Device::cpu, config, lora, dtype, 0, keep);
    counted.tokens_ = tokens;
    counted.frozen_ = frozen;
    counted.outputs_ = outputs < 0 ? tokens + frozen : std::min(outputs, tokens + frozen);
    Arena counter;
    counted.cut(counter, config, lora, dtype);
    return counter.used();
}

Activations::Layer Activations::layer(std::int64_t index, std::int64_t n, std::int64_t adapted) const {
    Layer layer = layers_[static_cast<std::size_t>(index)];
    for (View* view : {&layer.residual_in, &layer.qkv, &layer.attended, &layer.lse, &layer.qk}) *view = first_rows(*view, n);
    for (View* view : {&layer.residual_mid, &layer.gate_up, &layer.attention_out, &layer.mlp_out}) *view = most_rows(*view, n);
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
