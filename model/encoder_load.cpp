// Reads an encoder's weights into kernel layout, one linear at a time, so that no second copy of the model is ever held.
#include <algorithm>
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
    if (config.relative_bias) tables.relative = arena.take(DType::f32, {config.heads, 2 * relative_longest + 1});
    tables.norm = take_norm();
    for (std::int64_t i = 0; i < 2 * config.layers; ++i) tables.norms.push_back(take_norm());
    return tables;
}

namespace {

// From the file's (buckets, H) to what every head adds at every distance.
void read_relative(const EncoderWeights& weights, View table) {
    const std::int64_t heads = table.size(0);
    std::vector<float> learned(static_cast<std::size_t>(relative_buckets * heads));
    weights.read_weight(weights.names().relative, View(learned.data(), DType::f32, {relative_buckets, heads}));
    for (std::int64_t head = 0; head < heads; ++head)
        for (std::int64_t i = 0; i < table.size(1); ++i)
            table.row<float>(head)[i] = learned[static_cast<std::size_t>(relative_bucket(i - relative_longest) * heads + head)];
}

}  // namespace

void Encoder::read_tables(const EncoderWeights& weights, const Tables& tables) {
    const EncoderNames& names = weights.names();
    const auto read_norm = [&](const std::string& name, const Norm& norm) {
        weights.read_weight(name, norm.weight);
        weights.read_bias(name, norm.bias);
    };
    weights.read_weight(names.word, tables.word);
    weights.read_weight(names.position, tables.position);
    if (!tables.type.empty()) weights.read_weight(names.type, tables.type);
    if (!tables.relative.empty()) read_relative(weights, tables.relative);
    read_norm(names.norm, tables.norm);
    for (std::size_t i = 0; i < names.layers.size(); ++i) {
        read_norm(names.layers[i].output_norm, tables.norms[2 * i]);
        read_norm(names.layers[i].norm, tables.norms[2 * i + 1]);
    }
}

Encoder::Stacked Encoder::read(const EncoderWeights& weights, Span<const std::string> names, std::int64_t out, std::int64_t in, DType dtype) {
    const auto count = static_cast<std::int64_t>(names.size());
    Stacked weight;
    weight.memory = Arena(static_cast<std::size_t>(count * out * in * size_of(dtype)) + 64 * names.size());
    weight.bias.resize(static_cast<std::size_t>(count * out));
    for (std::size_t i = 0; i < names.size(); ++i) {
        const View flat = weight.memory.take(dtype, {out * in});
        weight.parts.emplace_back(flat.data, dtype, std::initializer_list<std::int64_t>{out, in});
        weights.read_weight(names[i], weight.parts.back());
        weights.read_bias(names[i], View(weight.bias.data() + static_cast<std::int64_t>(i) * out, DType::f32, {out}));
    }
    return weight;
}

PreparedLinear Encoder::load(Stream& stream, Stacked weight) {
    // Rows come in groups of any size: panels compute no more rows than there are, and each alone.
    PreparedLinear::Options inference{false};
    inference.panels = weight.parts.front().dtype == DType::f32;
    return PreparedLinear(stream, {weight.parts.data(), weight.parts.size()}, weight.bias_row(), {}, inference);
}

std::array<Encoder::Stored, 4> Encoder::stored(const EncoderLayerNames& names, const EncoderConfig& config) {
    const std::int64_t d = config.hidden_size, f = config.intermediate_size;
    return {{{{names.query, names.key, names.value}, d, d}, {{names.output}, d, d}, {{names.up}, f, d}, {{names.down}, d, f}}};
}

std::vector<std::vector<float>> Encoder::largest_weights(const TensorSource& source, const EncoderConfig& config) {
    const EncoderWeights weights(source, config);
    std::vector<std::vector<float>> result;
    for (const EncoderLayerNames& names : weights.names().layers)
        for (const Stored& linear : stored(names, config)) {
            const Stacked weight = read(weights, {linear.parts.data(), linear.parts.size()}, linear.out, linear.in, DType::f32);
            std::vector<float>& largest = result.emplace_back(static_cast<std::size_t>(linear.in));
            for (const View& part : weight.parts)
                for (std::int64_t row = 0; row < linear.out; ++row)
                    for (std::size_t i = 0; i < largest.size(); ++i) largest[i] = std::max(largest[i], std::abs(part.row<float>(row)[i]));
        }
    return result;
}

void Encoder::load_layer(Stream& stream, const EncoderWeights& weights, const EncoderLayerNames& names, Span<const Int8Input> int8_inputs) {
    std::array<Linear, 4> linears;
    const std::array<Stored, 4> all = stored(names, config_);
    for (std::size_t i = 0; i < 4; ++i) {
        Linear& linear = linears[i];
        linear.index = 4 * layers_.size() + i;
        const bool int8 = !int8_inputs.empty() && !int8_inputs[linear.index].multipliers.empty();
        Stacked weight = read(weights, {all[i].parts.data(), all[i].parts.size()}, all[i].out, all[i].in, int8 ? DType::f32 : dtype_);
        if (int8)
            linear.int8.emplace(stream, Span<const View>(weight.parts.data(), weight.parts.size()), weight.bias_row(), int8_inputs[linear.index]);
        else linear.wide = load(stream, std::move(weight));
    }
    Layer layer{std::move(linears[0]), std::move(linears[1]), std::move(linears[2]), std::move(linears[3]), {}, {}};
    layer.output_norm = tables_.norms[2 * layers_.size()];
    layer.norm = tables_.norms[2 * layers_.size() + 1];
    layers_.push_back(std::move(layer));
}

Encoder::Encoder(Stream& stream, const TensorSource& source, const EncoderConfig& config, DType dtype, Span<const Int8Input> int8_inputs)
    : config_(config), dtype_(dtype) {
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
    rule_.bias = tables_.relative;

    for (const EncoderLayerNames& names : weights.names().layers) load_layer(stream, weights, names, int8_inputs);
    const std::int64_t d = config.hidden_size;
    if (config.labels > 0) {
        head_ = load(stream, read(weights, {&weights.names().head, 1}, d, d, DType::f32));
        classifier_ = load(stream, read(weights, {&weights.names().classifier, 1}, config.labels, d, DType::f32));
    }
}

}  // namespace temper
