// config.json of transformers 4 and 5. Defaults are those of the family's class in transformers, since files leave them out.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "kernels/error.h"
#include "model/config_reader.h"

namespace temper {
namespace {

// How families differ from Llama: one function each.
struct Family {
    const char* model_type;
    std::int64_t head_size;  // where the file names none; 0: hidden_size / num_attention_heads
    bool tied_head;
    void (*read)(const ConfigReader& fields, ModelConfig& config);
};

void require_activation(const ConfigReader& fields, const char* key, const char* otherwise, std::initializer_list<const char*> names) {
    const std::string activation = fields.text_or(key, otherwise);
    if (std::none_of(names.begin(), names.end(), [&](const char* name) { return activation == name; }))
        fields.refuse(key, fmt::format("the feed-forward of this family is gated by {}", *names.begin()));
}

void read_attention_bias(const ConfigReader& fields, ModelConfig& config) {
    config.qkv_bias = config.output_bias = fields.flag_or("attention_bias", false);
}

std::int64_t window_or(const ConfigReader& fields, std::int64_t fallback) {
    if (fields.at_all("sliding_window") && !fields.has("sliding_window")) return 0;  // null: none
    return fields.integer_or("sliding_window", fallback, max_position_limit);
}

// layer_types names the kind of every layer; without it, `otherwise` says whether a layer has a window.
template <class Otherwise> void read_layer_types(const ConfigReader& fields, ModelConfig& config, const Otherwise& otherwise) {
    config.sliding_layers.assign(static_cast<std::size_t>(config.layers), false);
    const bool listed = fields.has("layer_types");
    if (listed && (!fields.at("layer_types").is_array() || static_cast<std::int64_t>(fields.at("layer_types").size()) != config.layers))
        throw_error(ExitCode::bad_data, "{}: field 'layer_types' is not a list of {} kinds, one a layer", fields.place(), config.layers);
    for (std::int64_t i = 0; i < config.layers; ++i) {
        const auto index = static_cast<std::size_t>(i);
        if (!listed) {
            config.sliding_layers[index] = otherwise(i);
            continue;
        }
        const Json& kind = fields.at("layer_types")[index];
        if (kind != "sliding_attention" && kind != "full_attention")
            throw_error(ExitCode::bad_data, "{}: field 'layer_types' holds {}, supported are full_attention and sliding_attention", fields.place(),
                        kind.dump());
        config.sliding_layers[index] = kind == "sliding_attention";
    }
    if (config.sliding_window == 0) config.sliding_layers.clear();
}

// Of families whose layers are alike: transformers does not look at layer_types there.
void read_same_windows(const ConfigReader& fields, ModelConfig& config) {
    read_layer_types(fields, config, [](std::int64_t) { return true; });
    if (std::find(config.sliding_layers.begin(), config.sliding_layers.end(), false) != config.sliding_layers.end())
        fields.refuse("layer_types", "the layers of this family all have the window, or none has");
}

void read_llama(const ConfigReader& fields, ModelConfig& config) {
    require_activation(fields, "hidden_act", "silu", {"silu"});
    read_attention_bias(fields, config);
    config.mlp_bias = fields.flag_or("mlp_bias", false);
}

void read_mistral(const ConfigReader& fields, ModelConfig& config) {
    require_activation(fields, "hidden_act", "silu", {"silu"});
    config.sliding_window = window_or(fields, 4096);
    read_same_windows(fields, config);
}

void read_qwen2(const ConfigReader& fields, ModelConfig& config) {
    require_activation(fields, "hidden_act", "silu", {"silu"});
    config.qkv_bias = true;
    config.sliding_window = fields.flag_or("use_sliding_window", false) ? window_or(fields, 4096) : 0;
    const std::int64_t full_layers =
        fields.has("max_window_layers") && fields.at("max_window_layers") == 0 ? 0 : fields.integer_or("max_window_layers", 28, max_position_limit);
    read_layer_types(fields, config, [&](std::int64_t layer) { return layer >= full_layers; });
}

void read_qwen3(const ConfigReader& fields, ModelConfig& config) {
    read_qwen2(fields, config);
    read_attention_bias(fields, config);
    config.qk_norm = true;
}

void read_phi3(const ConfigReader& fields, ModelConfig& config) {
    require_activation(fields, "hidden_act", "silu", {"silu"});
    config.fused_qkv = config.fused_gate_up = true;
    config.sliding_window = window_or(fields, 0);
    read_same_windows(fields, config);
    for (const char* dropout : {"resid_pdrop", "embd_pdrop"})
        if (fields.number_or(dropout, 0.0) != 0.0) fields.refuse(dropout, "the frozen model has no dropout");
}

// Gemma's "gelu" of old files means the tanh formula, as transformers reads it too.
void read_gemma(const ConfigReader& fields, ModelConfig& config) {
    const char* const key = fields.has("hidden_activation") ? "hidden_activation" : "hidden_act";
    if (config.family == "gemma") require_activation(fields, key, "gelu_pytorch_tanh", {"gelu_pytorch_tanh", "gelu"});
    else require_activation(fields, key, "gelu_pytorch_tanh", {"gelu_pytorch_tanh"});
    read_attention_bias(fields, config);
    config.activation = Activation::gelu_tanh;
    config.norm_plus_one = true;
    config.embedding_scale = std::sqrt(static_cast<double>(config.hidden_size));
    if (fields.flag_or("use_bidirectional_attention", false)) fields.refuse("use_bidirectional_attention", "decoders attend to what is before");
}

void read_gemma2(const ConfigReader& fields, ModelConfig& config) {
    read_gemma(fields, config);
    config.post_norms = true;
    config.attention_scale = 1.0 / std::sqrt(static_cast<double>(fields.integer_or("query_pre_attn_scalar", 256, max_model_size)));
    const auto cap = [&](const char* field, double otherwise) {
        return fields.at_all(field) && !fields.has(field) ? 0.0 : fields.number_or(field, otherwise);
    };
    config.attention_softcap = cap("attn_logit_softcapping", 50.0);
    config.logit_softcap = cap("final_logit_softcapping", 30.0);
    config.sliding_window = window_or(fields, 4096);
    read_layer_types(fields, config, [](std::int64_t layer) { return layer % 2 == 0; });
}

void read_gemma3(const ConfigReader& fields, ModelConfig& config) {
    read_gemma2(fields, config);
    config.qk_norm = true;
    config.attention_softcap = 0.0;  // transformers reads the field and does not apply it
    if (fields.has("attn_logit_softcapping")) fields.refuse("attn_logit_softcapping", "Gemma 3 does without");
    if (!fields.has("final_logit_softcapping")) config.logit_softcap = 0.0;
    const std::int64_t pattern = fields.integer_or("sliding_window_pattern", fields.integer_or("_sliding_window_pattern", 6, 4096), 4096);
    read_layer_types(fields, config, [&](std::int64_t layer) { return (layer + 1) % pattern != 0; });
}

constexpr Family families[] = {{"llama", 0, false, read_llama},    {"mistral", 0, false, read_mistral},    {"qwen2", 0, false, read_qwen2},
                               {"qwen3", 128, false, read_qwen3},  {"phi3", 0, false, read_phi3},          {"gemma", 256, true, read_gemma},
                               {"gemma2", 256, true, read_gemma2}, {"gemma3_text", 256, true, read_gemma3}};

const Family& family_of(const ConfigReader& fields) {
    const std::string type = fields.text_or("model_type", "");
    std::string known;
    for (const Family& family : families) {
        if (type == family.model_type) return family;
        known += (known.empty() ? "" : ", ") + std::string(family.model_type);
    }
    fields.refuse("model_type", "supported families are " + known);
}

// Settings of other families that would change the arithmetic; each with the value at which it does nothing.
// Quantised models whose weights open_bitsandbytes or open_fp8 reads.
bool is_read(const Json& quantization) {
    if (!quantization.is_object()) return false;
    if (quantization.value("load_in_4bit", Json(false)) == true) return quantization.value("bnb_4bit_quant_type", Json("fp4")) == "nf4";
    const Json method = quantization.value("quant_method", Json(""));
    if (method == "compressed-tensors") return quantization.value("format", Json("")) == "float-quantized";
    if (method == "modelopt") return quantization.value("quant_algo", Json("")) == "FP8";
    return method == "fp8" || method == "fbgemm_fp8";
}

void refuse_foreign(const ConfigReader& fields) {
    static const std::pair<const char*, double> neutral[] = {
        {"residual_multiplier", 1.0}, {"embedding_multiplier", 1.0}, {"attention_multiplier", 1.0},
        {"logits_scaling", 1.0},      {"logit_scale", 1.0},          {"num_experts", 0.0},
        {"num_local_experts", 0.0},   {"n_routed_experts", 0.0},     {"clip_qkv", 0.0},
        {"kv_lora_rank", 0.0},        {"num_kv_shared_layers", 0.0}, {"hidden_size_per_layer_input", 0.0}};
    for (const auto& [key, value] : neutral) {
        if (!fields.has(key) || (fields.at(key).is_number() && fields.at(key) == value)) continue;
        fields.refuse(key, "no supported family has it");
    }
    for (const char* key : {"alibi", "parallel_attn", "no_rope_layers", "use_qk_norm", "attn_temperature_tuning"})
        if (fields.has(key) && fields.at(key) != false) fields.refuse(key, "no supported family has it");
    if (!fields.has("quantization_config")) return;
    if (!is_read(fields.at("quantization_config")))
        fields.refuse("quantization_config",
                      "of quantised models, 4-bit ones of bitsandbytes (load_in_4bit, bnb_4bit_quant_type nf4), 8-bit floats (quant_method fp8, "
                      "fbgemm_fp8, modelopt with FP8, or compressed-tensors of format float-quantized) and GGUF files are read; give one of these or "
                      "the unquantised model");
}

void parse_eos(const ConfigReader& fields, ModelConfig& config) {
    if (!fields.has("eos_token_id")) return;
    const Json& eos = fields.at("eos_token_id");
    if (eos.is_number_integer()) add_eos(config, eos.get<std::int64_t>(), fields.place());
    if (eos.is_array())
        for (const Json& id : eos)
            if (id.is_number_integer()) add_eos(config, id.get<std::int64_t>(), fields.place());
}

}  // namespace

ModelConfig parse_model_config(const Json& json, const std::string& place) {
    const ConfigReader fields(json, place);
    const Family& family = family_of(fields);
    ModelConfig config;
    config.family = family.model_type;
    config.vocab_size = fields.integer("vocab_size", max_model_size);
    config.hidden_size = fields.integer("hidden_size", max_model_size);
    config.intermediate_size = fields.integer("intermediate_size", max_model_size);
    config.layers = fields.integer("num_hidden_layers", 4096);
    config.heads = fields.integer("num_attention_heads", 65536);
    config.key_value_heads = fields.integer_or("num_key_value_heads", config.heads, 65536);
    if (!fields.has("head_dim") && family.head_size == 0 && config.hidden_size % config.heads != 0)
        throw_error(ExitCode::bad_data, "{}: hidden_size {} is not a multiple of num_attention_heads {}", place, config.hidden_size, config.heads);
    config.head_size = fields.integer_or("head_dim", family.head_size > 0 ? family.head_size : config.hidden_size / config.heads, 65536);
    config.max_position_embeddings = fields.integer_or("max_position_embeddings", 2048, max_position_limit);
    config.rms_norm_eps = fields.number_or("rms_norm_eps", config.family == "phi3" ? 1e-5 : 1e-6);
    config.tied_head = fields.flag_or("tie_word_embeddings", family.tied_head);
    parse_rope(fields, config);
    parse_eos(fields, config);
    family.read(fields, config);
    refuse_foreign(fields);
    check_model_config(config, place);
    return config;
}

}  // namespace temper
