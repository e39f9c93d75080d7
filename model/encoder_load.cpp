// Reads an encoder's weights into kernel layout, one linear at a time, so that no second copy of the model is ever held.
#include <cmath>

#include "model/encoder.h"

namespace temper {

Encoder::Tables Encoder::cut_tables(Arena& arena, const EncoderConfig& config, DType dtype) {
    const std::int64_t d = config.hidden_size;
    const auto take_norm = [&] {
        const View weight = arena.take(DType::f32, {d});
        return Norm{weight, arena.take(DType::f32, {d})};
    };
    Tables tables;
    tables.word = arena.take(dtype, {config.vocab_size, d});
    tables.position = arena.take(dtype, {config.max_position_embeddings, d});
    if (config.type_vocab_size > 0) tables.type = arena.take(dtype, {config.type_vocab_size, d});
    tables.norm = take_norm();
    for (std::int64_t i = 0; i < 2 * config.layers; ++i) tables.norms.push_back(take_norm());
    return tables;
}

void Encoder::read_tables(const EncoderWeights& weights, const Tables& tables) {
    const EncoderNames& names = weights.names();
    const auto read_norm = [&](const std::string& name, const Norm& norm) {
        weights.read_weight(name, norm.weight);
        weights.read_bias(name, norm.bias);
    };
    weights.read_weight(names.word, tables.word);
    weights.read_weight(names.position, tables.position);
    if (!tables.type.empty()) weights.read_weight(names.type, tables.type);
    read_norm(names.norm, tables.norm);
    for (std::size_t i = 0; i < names.layers.size(); ++i) {
        read_norm(names.layers[i].output_norm, tables.norms[2 * i]);
        read_norm(names.layers[i].norm, tables.norms[2 * i + 1]);
    }
}

// Several of one shape are stacked.
PreparedLinear Encoder::load(Stream& stream, const EncoderWeights& weights, Span<const std::string> names, std::int64_t out, std::int64_t in,
                             DType dtype) const {
    const auto count = static_cast<std::int64_t>(names.size());
    Arena memory(static_cast<std::size_t>(count * out * in * size_of(dtype)) + 64 * names.size());
    std::vector<float> bias(static_cast<std::size_t>(count * out));
    std::vector<View> parts;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const View flat = memory.take(dtype, {out * in});
        parts.emplace_back(flat.data, dtype, std::initializer_list<std::int64_t>{out, in});
        weights.read_weight(names[i], parts.back());
        weights.read_bias(names[i], View(bias.data() + static_cast<std::int64_t>(i) * out, DType::f32, {out}));
    }
    // Rows come in groups of any size: panels compute no more rows than there are, and each alone.
    PreparedLinear::Options inference{false};
    inference.panels = dtype == DType::f32;
    return PreparedLinear(stream, {parts.data(), parts.size()}, View(bias.data(), DType::f32, {count * out}), {}, inference);
}

Encoder::Encoder(Stream& stream, const TensorSource& source, const EncoderConfig& config, DType dtype) : config_(config), dtype_(dtype) {
    const EncoderWeights weights(source, config);
    rule_.scale = 1.0f / std::sqrt(static_cast<float>(config.head_size()));
    rule_.causal = false;
    Arena counter;
    cut_tables(counter, config, dtype);
    arena_ = Arena(counter.used());
    read_tables(weights, cut_tables(arena_, config, dtype));
    arena_.reset();
    if (stream.device() != Device::cpu) arena_ = arena_.moved(stream);
    tables_ = cut_tables(arena_, config, dtype);

    const std::int64_t d = config.hidden_size, f = config.intermediate_size;
    for (std::size_t i = 0; i < weights.names().layers.size(); ++i) {
        const EncoderLayerNames& names = weights.names().layers[i];
        const std::string qkv[] = {names.query, names.key, names.value};
        Layer layer;
        layer.qkv = load(stream, weights, {qkv, 3}, d, d, dtype);
        layer.output = load(stream, weights, {&names.output, 1}, d, d, dtype);
        layer.up = load(stream, weights, {&names.up, 1}, f, d, dtype);
        layer.down = load(stream, weights, {&names.down, 1}, d, f, dtype);
        layer.output_norm = tables_.norms[2 * i];
        layer.norm = tables_.norms[2 * i + 1];
        layers_.push_back(std::move(layer));
    }
    if (config.labels > 0) {
        head_ = load(stream, weights, {&weights.names().head, 1}, d, d, DType::f32);
        classifier_ = load(stream, weights, {&weights.names().classifier, 1}, config.labels, d, DType::f32);
    }
}

}  // namespace temper
