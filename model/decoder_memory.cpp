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

void Activations::cut(Arena& arena, const ModelConfig& config, const LoraLayout& lora, DType dtype) {
    const std::int64_t t = tokens_, d = config.hidden_size, f = config.intermediate_size;
    const bool training = keep_ != Keep::nothing;
    // Shared buffers of s must do for the layer with the most adapters.
    const auto rank_total = [&](std::int64_t layer, Stack stack) {
        if (keep_ == Keep::all) return ranks(config, lora, layer, stack);
        std::int64_t most = 0;
        for (std::int64_t i = 0; i < config.layers; ++i) most = std::max(most, ranks(config, lora, i, stack));
        return most;
    };
    // A layer with fewer adapters sees its part of the shared buffers.
    const auto narrow_s = [&](Layer& layer, std::int64_t i) {
        const auto narrow = [](View& s, std::int64_t columns) {
            if (s.rank != 0) s = columns > 0 ? s.columns(0, columns) : View();
        };
        narrow(layer.s_qkv, ranks(config, lora, i, Stack::qkv));
        narrow(layer.s_output, ranks(config, lora, i, Stack::output));
        narrow(layer.s_gate_up, ranks(config, lora, i, Stack::gate_up));
        narrow(layer.s_down, ranks(config, lora, i, Stack::down));
    };
    layers_.clear();
    for (std::int64_t i = 0; i < config.layers; ++i) {
        if (keep_ != Keep::all && i > 0) {
            layers_.push_back(layers_.front());
            narrow_s(layers_.back(), i);
            if (keep_ == Keep::inputs) layers_.back().residual_in = arena.take(dtype, {t, d});
            continue;
        }
        Layer layer;
        layer.residual_in = arena.take(dtype, {t, d});
        layer.qkv = arena.take(dtype, {t, config.qkv_size()});
        layer.attended = arena.take(dtype, {t, config.attention_size()});
        layer.residual_mid = arena.take(dtype, {t, d});
        layer.gate_up = arena.take(dtype, {t, 2 * f});
        if (config.qk_norm && training) layer.qk = arena.take(dtype, {t, config.qkv_size() - config.key_value_heads * config.head_size});
        if (config.post_norms) {
            layer.attention_out = arena.take(dtype, {t, d});
            layer.mlp_out = arena.take(dtype, {t, d});
        }
        if (training) {
            layer.lse = arena.take(DType::f32, {t, config.heads});
            layer.s_qkv = take_if(arena, dtype, t, rank_total(i, Stack::qkv));
            layer.s_output = take_if(arena, dtype, t, rank_total(i, Stack::output));
            layer.s_gate_up = take_if(arena, dtype, t, rank_total(i, Stack::gate_up));
            layer.s_down = take_if(arena, dtype, t, rank_total(i, Stack::down));
        }
        layers_.push_back(layer);
    }
    if (keep_ != Keep::all) narrow_s(layers_.front(), 0);
    thinned_attended_ = arena.take(dtype, {t, config.attention_size()});
    output_ = training ? arena.take(dtype, {t, d}) : layers_.front().residual_in;
    hidden_ = arena.take(dtype, {t, d});
    normed_ = arena.take(dtype, {t, d});
    activated_ = arena.take(dtype, {t, f});
    if (!training) return;
    d_residual_ = arena.take(dtype, {t, d});
    d_normed_ = arena.take(dtype, {t, d});
    d_attended_ = arena.take(dtype, {t, config.attention_size()});
    d_qkv_ = arena.take(dtype, {t, config.qkv_size()});
    d_activated_ = arena.take(dtype, {t, f});
}

Activations::Activations(const ModelConfig& config, const LoraLayout& lora, DType dtype, std::int64_t tokens, Keep keep)
    : tokens_(tokens), keep_(keep) {
    Arena counter;
    cut(counter, config, lora, dtype);
    arena_ = Arena(counter.used());
    cut(arena_, config, lora, dtype);
}

std::size_t Activations::predict_bytes(const ModelConfig& config, const LoraLayout& lora, DType dtype, std::int64_t tokens, Keep keep) {
    Activations counted(config, lora, dtype, 0, keep);
    counted.tokens_ = tokens;
    Arena counter;
    counted.cut(counter, config, lora, dtype);
    return counter.used();
}

Activations::Layer Activations::layer(std::int64_t index, std::int64_t n) const {
    const Layer& whole = layers_[static_cast<std::size_t>(index)];
    Layer layer = whole;
    for (View* view : {&layer.residual_in, &layer.qkv, &layer.attended, &layer.lse, &layer.residual_mid, &layer.gate_up, &layer.qk,
                       &layer.attention_out, &layer.mlp_out, &layer.s_qkv, &layer.s_output, &layer.s_gate_up, &layer.s_down})
        *view = first_rows(*view, n);
    return layer;
}

Activations::Layer Activations::thinned(std::int64_t n, std::int64_t m) const {
    const std::int64_t last = static_cast<std::int64_t>(layers_.size()) - 1;
    Layer layer = this->layer(last, m);
    const Layer whole = this->layer(last, n);
    layer.qkv = whole.qkv;
    layer.lse = whole.lse;
    layer.qk = whole.qk;
    layer.residual_in = normed(m);  // gathered there for as long as the output projection adds it
    layer.attended = first_rows(thinned_attended_, m);
    return layer;
}

KvCache::KvCache(const ModelConfig& config, DType dtype, std::int64_t slots, std::int64_t capacity) : capacity_(capacity) {
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
    arena_ = Arena(counter.used());
    cut(arena_);
}

}  // namespace temper
