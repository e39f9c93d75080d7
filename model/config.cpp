#include "model/config.h"

#include <algorithm>
#include <cmath>

#include "io/gguf.h"
#include "io/jsonl.h"
#include "kernels/error.h"
#include "model/rope.h"

namespace temper {
namespace {

// Reads typed fields of one JSON object; messages name the file and the field.
class Fields {
  public:
    Fields(const Json& json, std::string place) : json_(json), place_(std::move(place)) {
        if (!json.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object, found {}", place_, json.type_name());
    }
    bool has(const char* key) const { return json_.contains(key) && !json_.at(key).is_null(); }
    const Json& at(const char* key) const { return json_.at(key); }

    std::int64_t integer(const char* key, std::int64_t limit) const {
        if (!has(key)) throw_error(ExitCode::bad_data, "{}: field '{}' is missing", place_, key);
        return integer_or(key, 0, limit);
    }
    std::int64_t integer_or(const char* key, std::int64_t fallback, std::int64_t limit) const {
        if (!has(key)) return fallback;
        const Json& value = json_.at(key);
        if (!value.is_number_integer() || value.get<std::int64_t>() < 1 || value.get<std::int64_t>() > limit)
            throw_error(ExitCode::bad_data, "{}: field '{}' is {}, expected an integer from 1 to {}", place_, key, value.dump(), limit);
        return value.get<std::int64_t>();
    }
    double number_or(const char* key, double fallback) const {
        if (!has(key)) return fallback;
        if (!json_.at(key).is_number()) throw_error(ExitCode::bad_data, "{}: field '{}' is {}, expected a number", place_, key, json_.at(key).dump());
        return json_.at(key).get<double>();
    }
    bool flag_or(const char* key, bool fallback) const {
        if (!has(key)) return fallback;
        if (!json_.at(key).is_boolean())
            throw_error(ExitCode::bad_data, "{}: field '{}' is {}, expected true or false", place_, key, json_.at(key).dump());
        return json_.at(key).get<bool>();
    }
    std::string text_or(const char* key, const std::string& fallback) const {
        if (!has(key)) return fallback;
        if (!json_.at(key).is_string()) throw_error(ExitCode::bad_data, "{}: field '{}' is {}, expected a string", place_, key, json_.at(key).dump());
        return json_.at(key).get<std::string>();
    }
    void refuse(const char* key, const std::string& why) const {
        throw_error(ExitCode::bad_data, "{}: field '{}' is {}, which temper does not support: {}", place_, key,
                    has(key) ? json_.at(key).dump() : "absent", why);
    }
    const std::string& place() const { return place_; }

  private:
    const Json& json_;
    std::string place_;
};

constexpr std::int64_t max_size = std::int64_t(1) << 24;

RopeScaling parse_rope_scaling(const Fields& fields) {
    RopeScaling scaling;
    const std::string kind = fields.text_or("rope_type", fields.text_or("type", "default"));
    if (kind == "default") return scaling;
    scaling.factor = fields.number_or("factor", 0.0);
    if (scaling.factor < 1.0) fields.refuse("factor", "a RoPE scaling factor is at least 1");
    if (kind == "linear") {
        scaling.kind = RopeScaling::Kind::linear;
    } else if (kind == "llama3") {
        scaling.kind = RopeScaling::Kind::llama3;
        scaling.low_freq_factor = fields.number_or("low_freq_factor", 1.0);
        scaling.high_freq_factor = fields.number_or("high_freq_factor", 4.0);
        scaling.original_max_position_embeddings = fields.integer_or("original_max_position_embeddings", 8192, std::int64_t(1) << 40);
        if (scaling.high_freq_factor <= scaling.low_freq_factor) fields.refuse("high_freq_factor", "it must exceed low_freq_factor");
    } else {
        fields.refuse(fields.has("rope_type") ? "rope_type" : "type", "known RoPE kinds are default, linear and llama3");
    }
    return scaling;
}

void parse_rope(const Fields& fields, ModelConfig& config) {
    config.rope_theta = fields.number_or("rope_theta", 10000.0);
    // transformers 5 writes rope_parameters (with rope_theta inside), transformers 4 rope_scaling.
    for (const char* key : {"rope_parameters", "rope_scaling"}) {
        if (!fields.has(key)) continue;
        const Fields rope(fields.at(key), fields.place() + ": " + key);
        config.rope_theta = rope.number_or("rope_theta", config.rope_theta);
        config.rope_scaling = parse_rope_scaling(rope);
        break;
    }
    if (fields.number_or("partial_rotary_factor", 1.0) != 1.0) fields.refuse("partial_rotary_factor", "the whole head is rotated");
}

void parse_eos(const Json& json, ModelConfig& config, const std::string& place) {
    if (!json.contains("eos_token_id")) return;
    const Json& eos = json.at("eos_token_id");
    if (eos.is_number_integer()) add_eos(config, eos.get<std::int64_t>(), place);
    if (eos.is_array())
        for (const Json& id : eos)
            if (id.is_number_integer()) add_eos(config, id.get<std::int64_t>(), place);
}

// Converters write the scaling of Llama 3.1 and later as the divisors of the frequencies; the parameters behind them are those that
// give the same divisors: one of the released models', all of which share the other three.
RopeScaling llama3_scaling_of(const GgufFile& file, ModelConfig config) {
    const char* const name = "rope_freqs.weight";
    std::vector<float> divisors(static_cast<std::size_t>(config.head_size / 2));
    file.read(name, View(divisors.data(), DType::f32, {config.head_size / 2}));
    config.rope_scaling = {};
    const std::vector<float> plain = rope_inverse_frequencies(config);
    for (const double factor : {8.0, 32.0}) {
        config.rope_scaling = {RopeScaling::Kind::llama3, factor, 1.0, 4.0, 8192};
        const std::vector<float> scaled = rope_inverse_frequencies(config);
        bool same = true;
        for (std::size_t i = 0; i < plain.size(); ++i) same = same && std::abs(plain[i] / scaled[i] - divisors[i]) <= 1e-4f * divisors[i];
        if (same) return config.rope_scaling;
    }
    throw_error(ExitCode::bad_data, "{}: tensor {} is not the llama3 RoPE scaling of a released model; use the Hugging Face directory",
                file.describe(), name);
}

void check_constants(const ModelConfig& config, const std::string& place) {
    const auto check = [&](const char* name, double value, bool good) {
        if (!good || !std::isfinite(value)) throw_error(ExitCode::bad_data, "{}: {} is {}, which no model can have", place, name, value);
    };
    check("rope_theta", config.rope_theta, config.rope_theta > 0.0);
    check("rms_norm_eps", config.rms_norm_eps, config.rms_norm_eps >= 0.0);
    check("the RoPE scaling factor", config.rope_scaling.factor, config.rope_scaling.factor >= 1.0);
    check("low_freq_factor", config.rope_scaling.low_freq_factor, config.rope_scaling.low_freq_factor > 0.0);
}

void check_shapes(const ModelConfig& config, const std::string& place) {
    if (config.heads % config.key_value_heads != 0)
        throw_error(ExitCode::bad_data, "{}: num_attention_heads {} is not a multiple of num_key_value_heads {}", place, config.heads,
                    config.key_value_heads);
    if (config.head_size % 2 != 0) throw_error(ExitCode::bad_data, "{}: head_dim {} is odd, RoPE needs pairs", place, config.head_size);
}

}  // namespace

std::int64_t ModelConfig::body_parameters() const {
    return layers * (qkv_size() * hidden_size + attention_size() * hidden_size + 3 * intermediate_size * hidden_size);
}

std::int64_t ModelConfig::parameters() const {
    const std::int64_t norms = (2 * layers + 1) * hidden_size, bias = qkv_bias ? layers * qkv_size() : 0;
    return body_parameters() + norms + bias + head_parameters() * (tied_head ? 1 : 2);
}

void add_eos(ModelConfig& config, std::int64_t id, const std::string& place) {
    if (id < 0 || id >= config.vocab_size)
        throw_error(ExitCode::bad_data, "{}: end token {} is outside the vocabulary of {}", place, id, config.vocab_size);
    const auto token = static_cast<std::int32_t>(id);
    if (std::find(config.eos_ids.begin(), config.eos_ids.end(), token) == config.eos_ids.end()) config.eos_ids.push_back(token);
}

ModelConfig parse_model_config(const Json& json, const std::string& place) {
    const Fields fields(json, place);
    ModelConfig config;
    config.family = fields.text_or("model_type", "");
    if (config.family != "llama" && config.family != "qwen2") fields.refuse("model_type", "supported families are llama and qwen2");
    config.vocab_size = fields.integer("vocab_size", max_size);
    config.hidden_size = fields.integer("hidden_size", max_size);
    config.intermediate_size = fields.integer("intermediate_size", max_size);
    config.layers = fields.integer("num_hidden_layers", 4096);
    config.heads = fields.integer("num_attention_heads", 65536);
    config.key_value_heads = fields.integer_or("num_key_value_heads", config.heads, 65536);
    if (!fields.has("head_dim") && config.hidden_size % config.heads != 0)
        throw_error(ExitCode::bad_data, "{}: hidden_size {} is not a multiple of num_attention_heads {}", place, config.hidden_size, config.heads);
    config.head_size = fields.integer_or("head_dim", config.hidden_size / config.heads, 65536);
    config.max_position_embeddings = fields.integer_or("max_position_embeddings", 2048, std::int64_t(1) << 40);
    config.rms_norm_eps = fields.number_or("rms_norm_eps", 1e-6);
    config.tied_head = fields.flag_or("tie_word_embeddings", false);
    parse_rope(fields, config);
    parse_eos(json, config, place);
    const std::string activation = fields.text_or("hidden_act", "silu");
    if (activation != "silu") fields.refuse("hidden_act", "only silu (SwiGLU) is");
    if (fields.flag_or("mlp_bias", false)) fields.refuse("mlp_bias", "feed-forward layers have no bias");
    if (config.family == "llama") {
        if (fields.flag_or("attention_bias", false)) fields.refuse("attention_bias", "of Llama's attention no bias is read");
    } else {
        config.qkv_bias = true;
        if (fields.flag_or("use_sliding_window", false)) fields.refuse("use_sliding_window", "attention is over the whole document");
    }
    if (fields.has("quantization_config")) fields.refuse("quantization_config", "give the unquantised model or a GGUF file");
    check_constants(config, place);
    check_shapes(config, place);
    return config;
}

ModelConfig model_config_from_gguf(const GgufFile& file) {
    const std::string place = file.describe();
    const auto architecture = file.text("general.architecture");
    if (!architecture) throw_error(ExitCode::bad_data, "{}: metadata key general.architecture is missing", place);
    ModelConfig config;
    config.family = *architecture;
    if (config.family != "llama" && config.family != "qwen2")
        throw_error(ExitCode::bad_data, "{}: general.architecture is '{}', supported are llama and qwen2", place, config.family);
    const auto key = [&](const char* name) { return config.family + "." + name; };
    const auto integer = [&](const char* name, std::int64_t limit) {
        const auto value = file.integer(key(name));
        if (!value || *value < 1 || *value > limit)
            throw_error(ExitCode::bad_data, "{}: metadata key {} is {}, expected an integer from 1 to {}", place, key(name),
                        value ? std::to_string(*value) : "missing", limit);
        return *value;
    };
    config.hidden_size = integer("embedding_length", max_size);
    config.intermediate_size = integer("feed_forward_length", max_size);
    config.layers = integer("block_count", 4096);
    config.heads = integer("attention.head_count", 65536);
    config.key_value_heads = file.integer(key("attention.head_count_kv")) ? integer("attention.head_count_kv", 65536) : config.heads;
    config.head_size = file.integer(key("attention.key_length")) ? integer("attention.key_length", 65536) : config.hidden_size / config.heads;
    config.max_position_embeddings = integer("context_length", std::int64_t(1) << 40);
    config.rms_norm_eps = file.number(key("attention.layer_norm_rms_epsilon")).value_or(1e-6);
    config.rope_theta = file.number(key("rope.freq_base")).value_or(10000.0);
    const std::string scaling = file.text(key("rope.scaling.type")).value_or("none");
    if (scaling == "linear") {
        config.rope_scaling.kind = RopeScaling::Kind::linear;
        config.rope_scaling.factor = file.number(key("rope.scaling.factor")).value_or(1.0);
    } else if (scaling != "none") {
        throw_error(ExitCode::bad_data, "{}: {} is '{}', supported are none and linear", place, key("rope.scaling.type"), scaling);
    }
    if (file.integer(key("rope.dimension_count")).value_or(config.head_size) != config.head_size)
        throw_error(ExitCode::bad_data, "{}: {} is not the head's size {}: rotating a part of the head is not supported", place,
                    key("rope.dimension_count"), config.head_size);
    if (file.number(key("rope.scale_linear")).value_or(1.0) != 1.0)
        throw_error(ExitCode::bad_data, "{}: {} is not supported; expected rope.scaling.type and rope.scaling.factor", place,
                    key("rope.scale_linear"));
    check_constants(config, place);
    check_shapes(config, place);
    if (file.find("rope_freqs.weight") != nullptr) config.rope_scaling = llama3_scaling_of(file, config);
    const TensorInfo* embedding = file.find("token_embd.weight");
    if (embedding == nullptr || embedding->shape.size() != 2)
        throw_error(ExitCode::bad_data, "{}: tensor token_embd.weight is missing or not a matrix", place);
    config.vocab_size = embedding->shape[0];
    config.tied_head = file.find("output.weight") == nullptr;
    config.qkv_bias = config.family == "qwen2";
    constexpr std::int64_t no_token = 0xffffffff;  // how some converters say that there is none
    for (const char* name : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"})
        if (const auto id = file.integer(name); id && *id != no_token && *id >= 0) add_eos(config, *id, place);
    return config;
}

Json to_config_json(const ModelConfig& config, const std::string& dtype, std::int32_t bos_id, std::int32_t eos_id) {
    Json json;
    json["architectures"] = {config.family == "qwen2" ? "Qwen2ForCausalLM" : "LlamaForCausalLM"};
    json["model_type"] = config.family;
    json["vocab_size"] = config.vocab_size;
    json["hidden_size"] = config.hidden_size;
    json["intermediate_size"] = config.intermediate_size;
    json["num_hidden_layers"] = config.layers;
    json["num_attention_heads"] = config.heads;
    json["num_key_value_heads"] = config.key_value_heads;
    json["head_dim"] = config.head_size;
    json["hidden_act"] = "silu";
    json["max_position_embeddings"] = config.max_position_embeddings;
    json["rms_norm_eps"] = config.rms_norm_eps;
    json["rope_theta"] = config.rope_theta;
    if (config.rope_scaling.kind == RopeScaling::Kind::linear) {
        json["rope_scaling"] = {{"rope_type", "linear"}, {"factor", config.rope_scaling.factor}};
    } else if (config.rope_scaling.kind == RopeScaling::Kind::llama3) {
        json["rope_scaling"] = {{"rope_type", "llama3"},
                                {"factor", config.rope_scaling.factor},
                                {"low_freq_factor", config.rope_scaling.low_freq_factor},
                                {"high_freq_factor", config.rope_scaling.high_freq_factor},
                                {"original_max_position_embeddings", config.rope_scaling.original_max_position_embeddings}};
    }
    json["tie_word_embeddings"] = config.tied_head;
    if (config.family == "llama") {
        json["attention_bias"] = false;
        json["mlp_bias"] = false;
    }
    if (bos_id >= 0) json["bos_token_id"] = bos_id;
    if (eos_id >= 0) json["eos_token_id"] = eos_id;
    json["torch_dtype"] = dtype;
    return json;
}

}  // namespace temper
