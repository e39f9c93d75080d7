#include "model/encoder_config.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

#include "kernels/error.h"
#include "model/config_reader.h"

namespace temper {
namespace {

constexpr std::int64_t max_labels = 1 << 20;

Pointwise read_activation(const ConfigReader& fields, const char* key) {
    const std::string name = fields.text_or(key, "gelu");
    if (name == "gelu") return Pointwise::gelu;
    if (name == "gelu_new" || name == "gelu_pytorch_tanh") return Pointwise::gelu_tanh;
    if (name == "relu") return Pointwise::relu;
    fields.refuse(key, "the activation is gelu, gelu_new, gelu_pytorch_tanh or relu");
}

// Labels are counted by id2label where the file has them, as transformers does, else by num_labels; without either there are two.
std::int64_t count_labels(const ConfigReader& fields) {
    if (fields.has("id2label")) {
        if (!fields.at("id2label").is_object() || fields.at("id2label").empty()) fields.refuse("id2label", "it names a classifier's labels");
        return static_cast<std::int64_t>(fields.at("id2label").size());
    }
    return fields.integer_or("num_labels", 2, max_labels);
}

bool classifies(const Json& json) {
    if (!json.contains("architectures") || !json.at("architectures").is_array()) return false;
    const Json& list = json.at("architectures");
    return std::any_of(list.begin(), list.end(),
                       [](const Json& name) { return name.is_string() && name.get<std::string>().ends_with("ForSequenceClassification"); });
}

std::string score_activation(const ConfigReader& fields) {
    if (fields.has("sentence_transformers")) {
        const ConfigReader inner(fields.at("sentence_transformers"), fields.place() + ": sentence_transformers");
        if (inner.has("activation_fn")) return inner.text_or("activation_fn", "");
    }
    return fields.text_or("sbert_ce_default_activation_function", "");
}

void read_bert(const ConfigReader& fields, EncoderConfig& config) {
    config.hidden_size = fields.integer("hidden_size", max_model_size);
    config.intermediate_size = fields.integer("intermediate_size", max_model_size);
    config.layers = fields.integer("num_hidden_layers", 4096);
    config.heads = fields.integer("num_attention_heads", max_model_size);
    config.type_vocab_size = fields.integer_or("type_vocab_size", 2, max_model_size);
    config.layer_norm_eps = fields.number_or("layer_norm_eps", 1e-12);
    config.activation = read_activation(fields, "hidden_act");
    if (fields.text_or("position_embedding_type", "absolute") != "absolute") fields.refuse("position_embedding_type", "positions are absolute");
    if (fields.has("embedding_size") && fields.integer_or("embedding_size", 0, max_model_size) != config.hidden_size)
        fields.refuse("embedding_size", "the embedding is as wide as the model");
}

void read_roberta(const ConfigReader& fields, EncoderConfig& config) {
    read_bert(fields, config);
    if (fields.at_all("pad_token_id") && fields.has("pad_token_id") && fields.at("pad_token_id") == 0) config.padding_id = 0;
    else config.padding_id = static_cast<std::int32_t>(fields.integer_or("pad_token_id", 1, max_model_size));
}

void read_distilbert(const ConfigReader& fields, EncoderConfig& config) {
    config.hidden_size = fields.integer("dim", max_model_size);
    config.intermediate_size = fields.integer("hidden_dim", max_model_size);
    config.layers = fields.integer("n_layers", 4096);
    config.heads = fields.integer("n_heads", max_model_size);
    config.activation = read_activation(fields, "activation");
}

void read_mpnet(const ConfigReader& fields, EncoderConfig& config) {
    read_bert(fields, config);
    config.type_vocab_size = 0;
    config.padding_id = 1;  // the reference's, whatever the file says
    config.relative_bias = true;
    if (fields.integer_or("relative_attention_num_buckets", relative_buckets, max_model_size) != relative_buckets)
        fields.refuse("relative_attention_num_buckets", "distances are cut into 32");
}

struct Family {
    const char* model_type;
    void (*read)(const ConfigReader& fields, EncoderConfig& config);
};
constexpr Family families[] = {{"bert", read_bert},         {"roberta", read_roberta},       {"xlm-roberta", read_roberta},
                               {"camembert", read_roberta}, {"distilbert", read_distilbert}, {"mpnet", read_mpnet}};

const Family* find_family(const std::string& model_type) {
    for (const Family& family : families)
        if (model_type == family.model_type) return &family;
    return nullptr;
}

}  // namespace

bool is_encoder_family(const std::string& model_type) { return find_family(model_type) != nullptr; }

std::int64_t relative_bucket(std::int64_t distance) {
    constexpr std::int64_t half = relative_buckets / 2, exact = half / 2;
    const std::int64_t side = distance > 0 ? half : 0, steps = std::abs(distance);
    if (steps < exact) return side + steps;
    // In float32, as the reference: a distance at the edge of two buckets falls to the same side.
    const float share = std::log(static_cast<float>(steps) / static_cast<float>(exact)) / static_cast<float>(std::log(relative_longest / exact));
    return side + std::min(half - 1, exact + static_cast<std::int64_t>(share * static_cast<float>(half - exact)));
}

EncoderConfig parse_encoder_config(const Json& json, const std::string& place) {
    const ConfigReader fields(json, place);
    EncoderConfig config;
    config.family = fields.text_or("model_type", "");
    const Family* family = find_family(config.family);
    if (family == nullptr)
        throw_error(ExitCode::bad_data,
                    "{}: model_type '{}' is no encoder that temper knows: bert, roberta, xlm-roberta, camembert, distilbert, mpnet", place,
                    config.family);
    config.vocab_size = fields.integer("vocab_size", max_model_size);
    config.max_position_embeddings = fields.integer("max_position_embeddings", max_model_size);
    family->read(fields, config);
    if (fields.flag_or("is_decoder", false)) fields.refuse("is_decoder", "an encoder sees its text in both directions");
    if (fields.flag_or("add_cross_attention", false)) fields.refuse("add_cross_attention", "an encoder has none");
    if (config.hidden_size % config.heads != 0)
        throw_error(ExitCode::bad_data, "{}: a width of {} cannot be cut into {} heads", place, config.hidden_size, config.heads);
    if (config.layer_norm_eps < 0.0 || !(config.layer_norm_eps < 1.0))
        throw_error(ExitCode::bad_data, "{}: layer_norm_eps is {}, which no model can have", place, config.layer_norm_eps);
    if (config.longest() < 1)
        throw_error(ExitCode::bad_data, "{}: {} positions, of which {} are never used, leave no room for a text", place,
                    config.max_position_embeddings, config.first_position());
    if (classifies(json)) {
        config.labels = count_labels(fields);
        config.score_activation = score_activation(fields);
    }
    return config;
}

}  // namespace temper
