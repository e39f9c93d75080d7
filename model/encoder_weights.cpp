#include "model/encoder_weights.h"

#include <algorithm>
#include <set>

#include <fmt/ranges.h>

#include "kernels/error.h"

namespace temper {
namespace {

EncoderNames bert_names(const EncoderConfig& config, const std::string& prefix) {
    EncoderNames names;
    names.word = prefix + "embeddings.word_embeddings";
    names.position = prefix + "embeddings.position_embeddings";
    names.type = prefix + "embeddings.token_type_embeddings";
    names.norm = prefix + "embeddings.LayerNorm";
    for (std::int64_t i = 0; i < config.layers; ++i) {
        const std::string layer = fmt::format("{}encoder.layer.{}.", prefix, i), self = layer + "attention.self.";
        names.layers.push_back({self + "query", self + "key", self + "value", layer + "attention.output.dense", layer + "attention.output.LayerNorm",
                                layer + "intermediate.dense", layer + "output.dense", layer + "output.LayerNorm"});
    }
    if (config.labels > 0) {
        const bool bert = config.family == "bert";
        names.head = bert ? prefix + "pooler.dense" : "classifier.dense";
        names.classifier = bert ? "classifier" : "classifier.out_proj";
    }
    return names;
}

EncoderNames mpnet_names(const EncoderConfig& config, const std::string& prefix) {
    EncoderNames names;
    names.word = prefix + "embeddings.word_embeddings";
    names.position = prefix + "embeddings.position_embeddings";
    names.norm = prefix + "embeddings.LayerNorm";
    names.relative = prefix + "encoder.relative_attention_bias";
    for (std::int64_t i = 0; i < config.layers; ++i) {
        const std::string layer = fmt::format("{}encoder.layer.{}.", prefix, i), attention = layer + "attention.attn.";
        names.layers.push_back({attention + "q", attention + "k", attention + "v", attention + "o", layer + "attention.LayerNorm",
                                layer + "intermediate.dense", layer + "output.dense", layer + "output.LayerNorm"});
    }
    if (config.labels > 0) names.head = "classifier.dense", names.classifier = "classifier.out_proj";
    return names;
}

EncoderNames distilbert_names(const EncoderConfig& config, const std::string& prefix) {
    EncoderNames names;
    names.word = prefix + "embeddings.word_embeddings";
    names.position = prefix + "embeddings.position_embeddings";
    names.norm = prefix + "embeddings.LayerNorm";
    for (std::int64_t i = 0; i < config.layers; ++i) {
        const std::string layer = fmt::format("{}transformer.layer.{}.", prefix, i), attention = layer + "attention.";
        names.layers.push_back({attention + "q_lin", attention + "k_lin", attention + "v_lin", attention + "out_lin", layer + "sa_layer_norm",
                                layer + "ffn.lin1", layer + "ffn.lin2", layer + "output_layer_norm"});
    }
    if (config.labels > 0) names.head = "pre_classifier", names.classifier = "classifier";
    return names;
}

EncoderNames names_of(const EncoderConfig& config, const std::string& prefix) {
    if (config.family == "distilbert") return distilbert_names(config, prefix);
    if (config.family == "mpnet") return mpnet_names(config, prefix);
    return bert_names(config, prefix);
}

// What a model carries of other uses: pretraining heads, BERT's pooler where nothing is classified, buffers of old versions.
bool is_left_over(const std::string& name) {
    for (const char* part : {"position_ids", "pooler.dense.", "cls.predictions.", "cls.seq_relationship.", "lm_head.", "vocab_transform.",
                             "vocab_layer_norm.", "vocab_projector."})
        if (name.find(part) != std::string::npos) return true;
    return false;
}

std::string prefix_of(const TensorSource& source, const EncoderConfig& config) {
    const std::string own = (config.family.ends_with("roberta") || config.family == "camembert" ? "roberta" : config.family) + ".";
    for (const std::string& prefix : {std::string(), own})
        if (source.find(prefix + "embeddings.word_embeddings.weight") != nullptr) return prefix;
    throw_error(ExitCode::bad_data, "{}: tensor embeddings.word_embeddings.weight is missing, also with {} before it", source.describe(), own);
}

}  // namespace

EncoderWeights::EncoderWeights(const TensorSource& source, const EncoderConfig& config) : source_(source), family_(config.family) {
    const std::string prefix = prefix_of(source, config);
    names_ = names_of(config, prefix);
    const std::int64_t d = config.hidden_size, f = config.intermediate_size;
    expect(names_.word, ".weight", {config.vocab_size, d});
    expect(names_.position, ".weight", {config.max_position_embeddings, d});
    if (!names_.type.empty()) expect(names_.type, ".weight", {config.type_vocab_size, d});
    if (!names_.relative.empty()) expect(names_.relative, ".weight", {relative_buckets, config.heads});
    expect_norm(names_.norm, d);
    for (const EncoderLayerNames& layer : names_.layers) {
        for (const std::string* name : {&layer.query, &layer.key, &layer.value, &layer.output}) expect_linear(*name, d, d);
        expect_linear(layer.up, f, d);
        expect_linear(layer.down, d, f);
        for (const std::string* name : {&layer.output_norm, &layer.norm}) expect_norm(*name, d);
    }
    if (config.labels > 0) {
        expect_linear(names_.head, d, d);
        expect_linear(names_.classifier, config.labels, d);
    }
    refuse_others();
}

std::string EncoderWeights::stored(const std::string& name, const char* part) const {
    if (source_.find(name + part) != nullptr) return name + part;
    const std::string older = name + (std::string_view(part) == ".weight" ? ".gamma" : ".beta");
    return source_.find(older) != nullptr ? older : name + part;
}

void EncoderWeights::expect(const std::string& name, const char* part, std::vector<std::int64_t> shape) {
    const std::string found = stored(name, part);
    known_.push_back(found);
    const TensorInfo* info = source_.find(found);
    if (info == nullptr) throw_error(ExitCode::bad_data, "{}: tensor {} is missing", source_.describe(), found);
    if (info->shape != shape)
        throw_error(ExitCode::bad_data, "{}: tensor {} has shape ({}), expected ({}) from the model's configuration", source_.describe(), found,
                    fmt::join(info->shape, ", "), fmt::join(shape, ", "));
}

void EncoderWeights::expect_linear(const std::string& name, std::int64_t out, std::int64_t in) {
    expect(name, ".weight", {out, in});
    expect(name, ".bias", {out});
}

void EncoderWeights::expect_norm(const std::string& name, std::int64_t size) {
    expect(name, ".weight", {size});
    expect(name, ".bias", {size});
}

// A tensor that nothing reads is a part of the model that would be left out of its arithmetic.
void EncoderWeights::refuse_others() const {
    const std::set<std::string> known(known_.begin(), known_.end());
    for (const std::string& name : source_.names())
        if (!known.contains(name) && !is_left_over(name))
            throw_error(ExitCode::bad_data, "{}: tensor {} belongs to no layer of a {} model that temper knows", source_.describe(), name, family_);
}

}  // namespace temper
