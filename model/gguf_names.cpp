#include "model/gguf_names.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "io/jsonl.h"
#include "kernels/error.h"
#include "model/rope.h"

namespace temper {
namespace {

constexpr GgufFamily families[] = {
    {"llama", "llama", true, true}, {"mistral", "llama", true, true}, {"qwen2", "qwen2", false, false},   {"qwen3", "qwen3", false, false},
    {"phi3", "phi3", false, false}, {"gemma", "gemma", false, false}, {"gemma2", "gemma2", false, false}, {"gemma3_text", "gemma3", false, false},
};

// general.file_type. [llama.h, enum llama_ftype]
std::uint32_t file_type(GgufStored type) {
    switch (type) {
        case GgufStored::F32: return 0;
        case GgufStored::F16: return 1;
        case GgufStored::Q8_0: return 7;
        case GgufStored::BF16: break;
    }
    return 32;
}

}  // namespace

const GgufFamily& gguf_family(const ModelConfig& config) {
    std::string known;
    for (const GgufFamily& family : families) {
        if (config.family == family.family) return family;
        known += fmt::format("{}{}", known.empty() ? "" : ", ", family.family);
    }
    throw_error(ExitCode::usage, "a {} model cannot be written as GGUF, only {}; write a Hugging Face directory instead", config.family, known);
}

std::string gguf_tensor_name(const std::string& name, bool post_norms) {
    static const std::pair<const char*, const char*> fixed[] = {
        {"model.embed_tokens.weight", "token_embd.weight"}, {"model.norm.weight", "output_norm.weight"}, {"lm_head.weight", "output.weight"}};
    static const std::pair<const char*, const char*> in_block[] = {{"input_layernorm", "attn_norm"},
                                                                   {"post_attention_layernorm", "ffn_norm"},
                                                                   {"self_attn.q_proj", "attn_q"},
                                                                   {"self_attn.k_proj", "attn_k"},
                                                                   {"self_attn.v_proj", "attn_v"},
                                                                   {"self_attn.o_proj", "attn_output"},
                                                                   {"mlp.gate_proj", "ffn_gate"},
                                                                   {"mlp.up_proj", "ffn_up"},
                                                                   {"mlp.down_proj", "ffn_down"},
                                                                   {"self_attn.qkv_proj", "attn_qkv"},
                                                                   {"mlp.gate_up_proj", "ffn_up"},
                                                                   {"self_attn.q_norm", "attn_q_norm"},
                                                                   {"self_attn.k_norm", "attn_k_norm"},
                                                                   {"pre_feedforward_layernorm", "ffn_norm"},
                                                                   {"post_feedforward_layernorm", "post_ffw_norm"}};
    for (const auto& [ours, theirs] : fixed)
        if (name == ours) return theirs;
    const std::string prefix = "model.layers.";
    if (name.compare(0, prefix.size(), prefix) != 0) return {};
    const std::size_t dot = name.find('.', prefix.size()), last = name.rfind('.');
    if (dot == std::string::npos || last <= dot) return {};
    const std::string block = "blk." + name.substr(prefix.size(), dot - prefix.size()) + ".";
    if (post_norms && name.compare(dot + 1, last - dot - 1, "post_attention_layernorm") == 0)
        return block + "post_attention_norm" + name.substr(last);
    for (const auto& [ours, theirs] : in_block)
        if (name.compare(dot + 1, last - dot - 1, ours) == 0) return block + theirs + name.substr(last);
    return {};
}

void pair_rows(float* weight, std::int64_t heads, std::int64_t head_size, std::int64_t columns) {
    const std::int64_t half = head_size / 2;
    std::vector<float> head(static_cast<std::size_t>(head_size * columns));
    const auto row_bytes = static_cast<std::size_t>(columns) * sizeof(float);
    for (std::int64_t h = 0; h < heads; ++h, weight += head_size * columns) {
        for (std::int64_t row = 0; row < head_size; ++row)
            std::memcpy(head.data() + (row % half * 2 + row / half) * columns, weight + row * columns, row_bytes);
        std::memcpy(weight, head.data(), head.size() * sizeof(float));
    }
}

GgufMetadata gguf_model_metadata(const ModelConfig& config, GgufStored type) {
    const GgufFamily& family = gguf_family(config);
    GgufMetadata metadata{{"general.architecture", std::string(family.architecture)},
                          {"general.type", std::string("model")},
                          {"general.file_type", file_type(type)},
                          {"general.quantization_version", std::uint32_t(2)}};
    const auto integer = [&](const char* name, std::int64_t value) {
        if (value < 0 || value > std::int64_t(UINT32_MAX)) throw_error(ExitCode::bad_data, "GGUF cannot hold {} = {}", name, value);
        metadata.emplace_back(fmt::format("{}.{}", family.architecture, name), static_cast<std::uint32_t>(value));
    };
    const auto number = [&](const char* name, double value) {
        metadata.emplace_back(fmt::format("{}.{}", family.architecture, name), static_cast<float>(value));
    };
    integer("block_count", config.layers);
    integer("context_length", config.max_position_embeddings);
    integer("embedding_length", config.hidden_size);
    integer("feed_forward_length", config.intermediate_size);
    integer("attention.head_count", config.heads);
    integer("attention.head_count_kv", config.key_value_heads);
    number("rope.freq_base", config.rope_theta);
    number("attention.layer_norm_rms_epsilon", config.rms_norm_eps);
    integer("attention.key_length", config.head_size);
    integer("attention.value_length", config.head_size);
    integer("rope.dimension_count", config.rotary_size);
    if (family.states_vocabulary) integer("vocab_size", config.vocab_size);
    if (config.sliding_window > 0) integer("attention.sliding_window", config.sliding_window);
    if (config.attention_softcap > 0.0) number("attn_logit_softcapping", config.attention_softcap);
    if (config.logit_softcap > 0.0) number("final_logit_softcapping", config.logit_softcap);
    if (config.local_rope_theta > 0.0) number("rope.freq_base_swa", config.local_rope_theta);
    const RopeScaling& scaling = config.rope_scaling;
    const auto scaling_type = [&](const char* kind) {
        metadata.emplace_back(fmt::format("{}.rope.scaling.type", family.architecture), std::string(kind));
        number("rope.scaling.factor", scaling.factor);
    };
    switch (scaling.kind) {
        case RopeScaling::Kind::none:
        case RopeScaling::Kind::llama3: break;  // tensor rope_freqs.weight
        case RopeScaling::Kind::linear: scaling_type("linear"); break;
        case RopeScaling::Kind::yarn:
            scaling_type("yarn");
            integer("rope.scaling.original_context_length", scaling.original_max_position_embeddings);
            break;
        case RopeScaling::Kind::longrope:  // tensors rope_factors_long.weight and rope_factors_short.weight
            integer("rope.scaling.original_context_length", scaling.original_max_position_embeddings);
            number("rope.scaling.attn_factor", scaling.attention_factor);
            break;
    }
    return metadata;
}

namespace {

bool same_setting(const Json& a, const Json& b) {
    if (!a.is_number() || !b.is_number()) return a == b;
    const double x = a.get<double>(), y = b.get<double>();  // metadata are float32
    return std::abs(x - y) <= 1e-6 * std::abs(y);
}

}  // namespace

void require_same_settings(const ModelConfig& written, const ModelConfig& meant) {
    Json found = to_config_json(written, "", -1, -1), expected = to_config_json(meant, "", -1, -1);
    if (meant.family == "mistral" && written.family == "llama")  // without a window the same model
        for (const char* key : {"architectures", "model_type", "attention_bias", "mlp_bias", "sliding_window"}) found.erase(key), expected.erase(key);
    for (const auto& [key, value] : expected.items()) {
        bool same = found.contains(key) && same_setting(found.at(key), value);
        if (!same && key == "rope_scaling" && found.contains(key) && value.is_object()) {
            same = true;
            for (const auto& [name, part] : value.items()) same = same && found.at(key).contains(name) && same_setting(found.at(key).at(name), part);
        }
        if (!same)
            throw_error(ExitCode::usage, "GGUF has no words for this model's {} {}: read back it is {}; write a Hugging Face directory instead", key,
                        value.dump(), found.contains(key) ? found.at(key).dump() : "absent");
    }
}

std::vector<float> gguf_rope_divisors(const ModelConfig& config) {
    if (config.rope_scaling.kind != RopeScaling::Kind::llama3) return {};
    ModelConfig plain = config;
    plain.rope_scaling = {};
    std::vector<float> divisors = rope_inverse_frequencies(plain, 0);
    const std::vector<float> scaled = rope_inverse_frequencies(config, 0);
    std::transform(divisors.begin(), divisors.end(), scaled.begin(), divisors.begin(), std::divides<float>());
    return divisors;
}

}  // namespace temper
