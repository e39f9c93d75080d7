#include "model/encoder.h"

#include <cmath>

namespace temper {

void EncoderActivations::cut(Arena& arena, const EncoderConfig& config, DType dtype, std::int64_t tokens) {
    const std::int64_t d = config.hidden_size;
    x_ = arena.take(dtype, {tokens, d});
    middle_ = arena.take(dtype, {tokens, d});
    sum_ = arena.take(dtype, {tokens, d});
    qkv_ = arena.take(dtype, {tokens, 3 * d});
    attended_ = arena.take(dtype, {tokens, d});
    up_ = arena.take(dtype, {tokens, config.intermediate_size});
}

EncoderActivations::EncoderActivations(Device device, const EncoderConfig& config, DType dtype, std::int64_t tokens) {
    arena_ = Arena(predict_bytes(config, dtype, tokens), memory_of(device));
    cut(arena_, config, dtype, tokens);
}

std::size_t EncoderActivations::predict_bytes(const EncoderConfig& config, DType dtype, std::int64_t tokens) {
    const std::int64_t d = config.hidden_size;
    Arena counter;
    for (const std::int64_t width : {d, d, d, 3 * d, d, config.intermediate_size}) counter.take(dtype, {tokens, width});
    return counter.used();
}

void Encoder::layer_forward(Stream& stream, const Layer& layer, const EncoderActivations& a, std::int64_t n, Span<const Segment> segments) const {
    const std::int64_t d = config_.hidden_size, heads = config_.heads, head_size = config_.head_size();
    const View qkv = a.qkv(n);
    const auto part = [&](std::int64_t index) { return qkv.columns(index * d, d).reshape({n, heads, head_size}); };
    ops::linear(stream, qkv, a.x(n), layer.qkv, View());
    ops::attention(stream, a.attended(n).reshape({n, heads, head_size}), View(), part(0), part(1), part(2), segments, rule_);
    ops::linear(stream, a.sum(n), a.attended(n), layer.output, View(),
                Epilogue::add_residual_layer_norm(a.x(n), layer.output_norm.weight, layer.output_norm.bias, epsilon(), a.middle(n)));

    ops::linear(stream, a.up(n), a.middle(n), layer.up, View(), Epilogue::pointwise(config_.activation));
    ops::linear(stream, a.sum(n), a.up(n), layer.down, View(),
                Epilogue::add_residual_layer_norm(a.middle(n), layer.norm.weight, layer.norm.bias, epsilon(), a.x(n)));
}

View Encoder::forward(Stream& stream, const EncoderBatch& batch, EncoderActivations& activations) const {
    const std::int64_t n = batch.ids.size(0);
    const View x = activations.x(n);
    std::vector<ops::EmbeddingPart> parts{{batch.ids, tables_.word}, {batch.positions, tables_.position}};
    if (!tables_.type.empty()) parts.push_back({batch.types, tables_.type});
    ops::embedding_sum(stream, x, parts);
    ops::layer_norm(stream, x, x, tables_.norm.weight, tables_.norm.bias, epsilon());
    for (const Layer& layer : layers_) layer_forward(stream, layer, activations, n, batch.segments);
    return x;
}

void Encoder::classify(Stream& stream, View logits, View pooled, View first) const {
    ops::linear(stream, pooled, first, head_, View(), Epilogue::pointwise(config_.family == "distilbert" ? Pointwise::relu : Pointwise::tanh));
    ops::linear(stream, logits, pooled, classifier_, View());
}

std::size_t Encoder::bytes() const {
    std::size_t total = arena_.capacity();
    for (const Layer& layer : layers_) total += layer.qkv.bytes() + layer.output.bytes() + layer.up.bytes() + layer.down.bytes();
    return config_.labels > 0 ? total + head_.bytes() + classifier_.bytes() : total;
}

}  // namespace temper
