#include "model/encoder_weights.h"

#include <algorithm>
#include <set>

#include <fmt/ranges.h>

#include "kernels/error.h"

namespace temper {
namespace {

// What stands in a layer, of each family.
const EncoderLayerNames bert_layer{"attention.self.query",       "attention.self.key", "attention.self.value", "attention.output.dense",
                                   "attention.output.LayerNorm", "intermediate.dense", "output.dense",         "output.LayerNorm"};
const EncoderLayerNames distilbert_layer{"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin",
                                         "sa_layer_norm",   "ffn.lin1",        "ffn.lin2",        "output_layer_norm"};
const EncoderLayerNames mpnet_layer{"attention.attn.q",    "attention.attn.k",   "attention.attn.v", "attention.attn.o",
                                    "attention.LayerNorm", "intermediate.dense", "output.dense",     "output.LayerNorm"};

EncoderLayerNames behind(const std::string& prefix, const EncoderLayerNames& layer) {
    return {prefix + layer.query,       prefix + layer.key, prefix + layer.value, prefix + layer.output,
            prefix + layer.output_norm, prefix + layer.up,  prefix + layer.down,  prefix + layer.norm};
}

EncoderNames names_of(const EncoderConfig& config, const std::string& prefix) {
    const bool bert = config.family == "bert", distilbert = config.family == "distilbert", mpnet = config.family == "mpnet";
    EncoderNames names;
    names.word = prefix + "embeddings.word_embeddings";
    names.position = prefix + "embeddings.position_embeddings";
    if (config.type_vocab_size > 0) names.type = prefix + "embeddings.token_type_embeddings";
    names.norm = prefix + "embeddings.LayerNorm";
    if (config.relative_bias) names.relative = prefix + "encoder.relative_attention_bias";
    const EncoderLayerNames& layer = distilbert ? distilbert_layer : mpnet ? mpnet_layer : bert_layer;
    for (std::int64_t i = 0; i < config.layers; ++i)
        names.layers.push_back(behind(fmt::format("{}{}.layer.{}.", prefix, distilbert ? "transformer" : "encoder", i), layer));
    if (config.labels > 0) {
        names.head = bert ? prefix + "pooler.dense" : distilbert ? "pre_classifier" : "classifier.dense";
        names.classifier = bert || distilbert ? "classifier" : "classifier.out_proj";
    }
    return names;
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
