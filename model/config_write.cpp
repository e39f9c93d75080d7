// config.json in the keys that transformers 4 and 5 both read.
#include <cmath>

#include "model/config.h"

namespace temper {
namespace {

const char* architecture_of(const std::string& family) {
    static const std::pair<const char*, const char*> names[] = {
        {"llama", "LlamaForCausalLM"}, {"mistral", "MistralForCausalLM"}, {"qwen2", "Qwen2ForCausalLM"},   {"qwen3", "Qwen3ForCausalLM"},
        {"phi3", "Phi3ForCausalLM"},   {"gemma", "GemmaForCausalLM"},     {"gemma2", "Gemma2ForCausalLM"}, {"gemma3_text", "Gemma3ForCausalLM"}};
    for (const auto& [type, name] : names)
        if (family == type) return name;
    return "";
}

Json rope_scaling_of(const ModelConfig& config) {
    const RopeScaling& scaling = config.rope_scaling;
    switch (scaling.kind) {
        case RopeScaling::Kind::none: break;
        case RopeScaling::Kind::linear: return {{"rope_type", "linear"}, {"factor", scaling.factor}};
        case RopeScaling::Kind::llama3:
            return {{"rope_type", "llama3"},
                    {"factor", scaling.factor},
                    {"low_freq_factor", scaling.low_freq_factor},
                    {"high_freq_factor", scaling.high_freq_factor},
                    {"original_max_position_embeddings", scaling.original_max_position_embeddings}};
        case RopeScaling::Kind::yarn:
            return {{"rope_type", "yarn"},
                    {"factor", scaling.factor},
                    {"attention_factor", scaling.attention_factor},
                    {"beta_fast", scaling.beta_fast},
                    {"beta_slow", scaling.beta_slow},
                    {"truncate", scaling.truncate},
                    {"original_max_position_embeddings", scaling.original_max_position_embeddings}};
        case RopeScaling::Kind::longrope:
            return {{"rope_type", "longrope"},
                    {"short_factor", scaling.short_factor},
                    {"long_factor", scaling.long_factor},
                    {"attention_factor", scaling.attention_factor},
                    {"original_max_position_embeddings", scaling.original_max_position_embeddings}};
    }
    return nullptr;
}

void write_rope(const ModelConfig& config, Json& json) {
    json["rope_theta"] = config.rope_theta;
    if (config.local_rope_theta > 0.0) json["rope_local_base_freq"] = config.local_rope_theta;
    if (config.rotary_size != config.head_size)
        json["partial_rotary_factor"] = static_cast<double>(config.rotary_size) / static_cast<double>(config.head_size);
    if (const Json scaling = rope_scaling_of(config); !scaling.is_null()) json["rope_scaling"] = scaling;
    if (config.family == "phi3" && config.rope_scaling.kind == RopeScaling::Kind::longrope)
        json["original_max_position_embeddings"] = config.rope_scaling.original_max_position_embeddings;
}

void write_windows(const ModelConfig& config, Json& json) {
    const bool qwen = config.family == "qwen2" || config.family == "qwen3";
    if (qwen) json["use_sliding_window"] = config.sliding_window > 0;
    const bool knows_windows =
        qwen || config.family == "mistral" || config.family == "phi3" || config.family == "gemma2" || config.family == "gemma3_text";
    if (!knows_windows) return;
    json["sliding_window"] = config.sliding_window > 0 ? Json(config.sliding_window) : Json();
    if (config.sliding_window == 0 || config.family == "mistral" || config.family == "phi3") return;  // all layers alike
    Json kinds = Json::array();
    for (const bool slides : config.sliding_layers) kinds.push_back(slides ? "sliding_attention" : "full_attention");
    json["layer_types"] = kinds;
}

void write_family(const ModelConfig& config, Json& json) {
    const bool gemma = config.activation == Activation::gelu_tanh;
    json[gemma && config.family != "gemma" ? "hidden_activation" : "hidden_act"] = gemma ? "gelu_pytorch_tanh" : "silu";
    if (config.family != "qwen2" && config.family != "mistral" && config.family != "phi3") json["attention_bias"] = config.output_bias;
    if (config.family == "llama") json["mlp_bias"] = config.mlp_bias;
    if (!config.post_norms) return;
    json["query_pre_attn_scalar"] = std::llround(1.0 / (config.attention_scale * config.attention_scale));
    const auto cap = [](double value) { return value > 0.0 ? Json(value) : Json(); };
    json["attn_logit_softcapping"] = cap(config.attention_softcap);
    json["final_logit_softcapping"] = cap(config.logit_softcap);
}

}  // namespace

Json to_config_json(const ModelConfig& config, const std::string& dtype, std::int32_t bos_id, std::int32_t eos_id) {
    Json json;
    json["architectures"] = {architecture_of(config.family)};
    json["model_type"] = config.family;
    json["vocab_size"] = config.vocab_size;
    json["hidden_size"] = config.hidden_size;
    json["intermediate_size"] = config.intermediate_size;
    json["num_hidden_layers"] = config.layers;
    json["num_attention_heads"] = config.heads;
    json["num_key_value_heads"] = config.key_value_heads;
    json["head_dim"] = config.head_size;
    json["max_position_embeddings"] = config.max_position_embeddings;
    json["rms_norm_eps"] = config.rms_norm_eps;
    write_rope(config, json);
    write_windows(config, json);
    write_family(config, json);
    json["tie_word_embeddings"] = config.tied_head;
    if (bos_id >= 0) json["bos_token_id"] = bos_id;
    if (eos_id >= 0) json["eos_token_id"] = eos_id;
    json["torch_dtype"] = dtype;
    return json;
}

}  // namespace temper
