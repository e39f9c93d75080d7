#include "model/encoder.h"

#include <algorithm>
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

void Encoder::observe(InputColumns& columns, View x) {
    const auto width = static_cast<std::size_t>(x.size(1));
    columns.largest.resize(width);
    columns.squares.resize(width);
    columns.rows += x.size(0);
    for (std::int64_t row = 0; row < x.size(0); ++row)
        for (std::size_t i = 0; i < width; ++i) {
            const float value = x.row<float>(row)[i];
            columns.largest[i] = std::max(columns.largest[i], std::abs(value));
            columns.squares[i] += static_cast<double>(value) * static_cast<double>(value);
        }
}

void Encoder::apply(Stream& stream, View y, View x, const Linear& linear, const EncoderActivations& a, const Epilogue& epilogue) {
    if (linear.index < a.observed().size()) observe(a.observed()[linear.index], x);
    if (linear.int8) ops::linear(stream, y, x, *linear.int8, epilogue);
    else ops::linear(stream, y, x, linear.wide, View(), epilogue);
}

void Encoder::layer_forward(Stream& stream, const Layer& layer, const EncoderActivations& a, std::int64_t n, Span<const Segment> segments) const {
    const std::int64_t d = config_.hidden_size, heads = config_.heads, head_size = config_.head_size();
    const View qkv = a.qkv(n);
    const auto part = [&](std::int64_t index) { return qkv.columns(index * d, d).reshape({n, heads, head_size}); };
    apply(stream, qkv, a.x(n), layer.qkv, a);
    ops::attention(stream, a.attended(n).reshape({n, heads, head_size}), View(), part(0), part(1), part(2), segments, rule_);
    apply(stream, a.sum(n), a.attended(n), layer.output, a,
          Epilogue::add_residual_layer_norm(a.x(n), layer.output_norm.weight, layer.output_norm.bias, epsilon(), a.middle(n)));

    apply(stream, a.up(n), a.middle(n), layer.up, a, Epilogue::pointwise(config_.activation));
    apply(stream, a.sum(n), a.up(n), layer.down, a,
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
    const auto bytes_of = [](const Linear& linear) { return linear.int8 ? linear.int8->bytes() : linear.wide.bytes(); };
    std::size_t total = arena_.capacity();
    for (const Layer& layer : layers_) total += bytes_of(layer.qkv) + bytes_of(layer.output) + bytes_of(layer.up) + bytes_of(layer.down);
    return config_.labels > 0 ? total + head_.bytes() + classifier_.bytes() : total;
}

}  // namespace temper
