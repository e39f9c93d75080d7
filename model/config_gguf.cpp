// A model's configuration from GGUF metadata, as llama.cpp's converters write it; what they leave to the reader is filled in per family.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "kernels/error.h"
#include "model/config_reader.h"
#include "model/rope.h"

namespace temper {
namespace {

struct Architecture {
    const char* name;    // general.architecture
    const char* family;  // model_type
};
constexpr Architecture architectures[] = {{"llama", "llama"}, {"qwen2", "qwen2"},   {"qwen3", "qwen3"},       {"phi3", "phi3"},
                                          {"gemma", "gemma"}, {"gemma2", "gemma2"}, {"gemma3", "gemma3_text"}};

// Metadata under the architecture's own prefix.
class Metadata {
  public:
    explicit Metadata(const GgufFile& file) : file_(file), place_(file.describe()) {
        const auto name = file.text("general.architecture");
        if (!name) throw_error(ExitCode::bad_data, "{}: metadata key general.architecture is missing", place_);
        std::string known;
        for (const Architecture& architecture : architectures) {
            if (*name == architecture.name) family_ = architecture.family;
            known += (known.empty() ? "" : ", ") + std::string(architecture.name);
        }
        if (family_.empty()) throw_error(ExitCode::bad_data, "{}: general.architecture is '{}', supported are {}", place_, *name, known);
        prefix_ = *name + ".";
    }
    const std::string& family() const { return family_; }
    const std::string& place() const { return place_; }
    const GgufFile& file() const { return file_; }
    std::string key(const char* name) const { return prefix_ + name; }
    std::optional<std::int64_t> integer_if(const char* name) const { return file_.integer(key(name)); }
    std::int64_t integer(const char* name, std::int64_t limit) const {
        const auto value = integer_if(name);
        if (!value || *value < 1 || *value > limit)
            throw_error(ExitCode::bad_data, "{}: metadata key {} is {}, expected an integer from 1 to {}", place_, key(name),
                        value ? std::to_string(*value) : "missing", limit);
        return *value;
    }
    std::int64_t integer_or(const char* name, std::int64_t otherwise, std::int64_t limit) const {
        return integer_if(name) ? integer(name, limit) : otherwise;
    }
    double number_or(const char* name, double otherwise) const { return file_.number(key(name)).value_or(otherwise); }
    std::string text_or(const char* name, const std::string& otherwise) const { return file_.text(key(name)).value_or(otherwise); }

  private:
    const GgufFile& file_;
    std::string place_, prefix_, family_;
};

// Converters write the scaling of Llama 3.1 and later as the divisors of the frequencies; the parameters behind them are those that
// give the same divisors: one of the released models', all of which share the other three.
RopeScaling llama3_scaling_of(const GgufFile& file, ModelConfig config) {
    const char* const name = "rope_freqs.weight";
    std::vector<float> divisors(static_cast<std::size_t>(config.rotary_size / 2));
    file.read(name, View(divisors.data(), DType::f32, {config.rotary_size / 2}));
    config.rope_scaling = {};
    const std::vector<float> plain = rope_inverse_frequencies(config, 0);
    for (const double factor : {8.0, 32.0}) {
        config.rope_scaling.kind = RopeScaling::Kind::llama3;  // its other numbers are the defaults
        config.rope_scaling.factor = factor;
        const std::vector<float> scaled = rope_inverse_frequencies(config, 0);
        bool same = true;
        for (std::size_t i = 0; i < plain.size(); ++i) same = same && std::abs(plain[i] / scaled[i] - divisors[i]) <= 1e-4f * divisors[i];
        if (same) return config.rope_scaling;
    }
    throw_error(ExitCode::bad_data, "{}: tensor {} is not the llama3 RoPE scaling of a released model; use the Hugging Face directory",
                file.describe(), name);
}

std::vector<double> factors_of(const GgufFile& file, const char* name, std::int64_t count) {
    std::vector<float> factors(static_cast<std::size_t>(count));
    file.read(name, View(factors.data(), DType::f32, {count}));
    for (const float factor : factors)
        if (!(factor > 0.0f) || !std::isfinite(factor))
            throw_error(ExitCode::bad_data, "{}: tensor {} holds {}, expected positive numbers", file.describe(), name, factor);
    return {factors.begin(), factors.end()};
}

RopeScaling read_scaling(const Metadata& metadata, const ModelConfig& config) {
    const GgufFile& file = metadata.file();
    RopeScaling scaling;
    if (file.find("rope_freqs.weight") != nullptr) return llama3_scaling_of(file, config);
    const double factor = metadata.number_or("rope.scaling.factor", 1.0);
    scaling.original_max_position_embeddings =
        metadata.integer_or("rope.scaling.original_context_length", config.max_position_embeddings, max_position_limit);
    const double stretched = static_cast<double>(config.max_position_embeddings) / static_cast<double>(scaling.original_max_position_embeddings);
    if (file.find("rope_factors_short.weight") != nullptr && file.find("rope_factors_long.weight") != nullptr) {
        scaling.kind = RopeScaling::Kind::longrope;
        scaling.factor = std::max(1.0, stretched);
        scaling.short_factor = factors_of(file, "rope_factors_short.weight", config.rotary_size / 2);
        scaling.long_factor = factors_of(file, "rope_factors_long.weight", config.rotary_size / 2);
        scaling.attention_factor = metadata.number_or("rope.scaling.attn_factor", 1.0);
        return scaling;
    }
    const std::string kind = metadata.text_or("rope.scaling.type", "none");
    if (kind == "linear") {
        scaling.kind = RopeScaling::Kind::linear;
        scaling.factor = factor;
    } else if (kind == "yarn") {
        scaling.kind = RopeScaling::Kind::yarn;
        scaling.factor = factor;
        scaling.attention_factor = factor <= 1.0 ? 1.0 : 0.1 * std::log(factor) + 1.0;
    } else if (kind != "none") {
        throw_error(ExitCode::bad_data, "{}: {} is '{}', supported are none, linear and yarn, and longrope with its factors", metadata.place(),
                    metadata.key("rope.scaling.type"), kind);
    }
    return scaling;
}

void read_rope(const Metadata& metadata, ModelConfig& config) {
    config.rope_theta = metadata.number_or("rope.freq_base", config.family == "gemma3_text" ? 1e6 : 10000.0);
    if (config.family == "gemma3_text") config.local_rope_theta = metadata.number_or("rope.freq_base_swa", 10000.0);
    config.rotary_size = metadata.integer_or("rope.dimension_count", config.head_size, config.head_size);
    config.rope_scaling = read_scaling(metadata, config);
    if (metadata.number_or("rope.scale_linear", 1.0) != 1.0)
        throw_error(ExitCode::bad_data, "{}: {} is not supported; expected rope.scaling.type and rope.scaling.factor", metadata.place(),
                    metadata.key("rope.scale_linear"));
}

// Which layers have a window, and how q k^T is scaled, are known by the architecture and not written.
void read_family(const Metadata& metadata, ModelConfig& config) {
    const std::string& family = config.family;
    const bool gemma = family == "gemma" || family == "gemma2" || family == "gemma3_text";
    config.qkv_bias = family == "qwen2";
    if (family == "llama") {
        config.qkv_bias = metadata.file().find("blk.0.attn_q.bias") != nullptr;
        config.output_bias = metadata.file().find("blk.0.attn_output.bias") != nullptr;
        config.mlp_bias = metadata.file().find("blk.0.ffn_gate.bias") != nullptr;
    }
    config.qk_norm = family == "qwen3" || family == "gemma3_text";
    config.fused_qkv = config.fused_gate_up = family == "phi3";
    if (gemma) {
        config.activation = Activation::gelu_tanh;
        config.norm_plus_one = true;
        config.embedding_scale = std::sqrt(static_cast<double>(config.hidden_size));
    }
    config.post_norms = family == "gemma2" || family == "gemma3_text";
    if (config.post_norms) {
        const bool largest = config.layers == (family == "gemma2" ? 46 : 62);  // the 27B models scale by the width of the model's heads
        config.attention_scale = 1.0 / std::sqrt(static_cast<double>(largest ? config.hidden_size / config.heads : config.head_size));
    }
    if (family == "gemma2") {
        config.attention_softcap = metadata.number_or("attn_logit_softcapping", 50.0);
        config.logit_softcap = metadata.number_or("final_logit_softcapping", 30.0);
    }
    const std::int64_t window = metadata.integer_if("attention.sliding_window").value_or(family == "gemma2" ? 4096 : 0);
    if (window < 0 || window > max_position_limit)
        throw_error(ExitCode::bad_data, "{}: {} is {}", metadata.place(), metadata.key("attention.sliding_window"), window);
    if (window == 0) return;
    config.sliding_window = window;
    if (family == "llama") config.family = "mistral";
    for (std::int64_t i = 0; i < config.layers; ++i)
        config.sliding_layers.push_back(family == "gemma2" ? i % 2 == 0 : family == "gemma3_text" ? (i + 1) % 6 != 0 : true);
}

}  // namespace

ModelConfig model_config_from_gguf(const GgufFile& file) {
    const Metadata metadata(file);
    const std::string& place = metadata.place();
    ModelConfig config;
    config.family = metadata.family();
    config.hidden_size = metadata.integer("embedding_length", max_model_size);
    config.intermediate_size = metadata.integer("feed_forward_length", max_model_size);
    config.layers = metadata.integer("block_count", 4096);
    config.heads = metadata.integer("attention.head_count", 65536);
    config.key_value_heads = metadata.integer_or("attention.head_count_kv", config.heads, 65536);
    config.head_size = metadata.integer_or("attention.key_length", std::max<std::int64_t>(1, config.hidden_size / config.heads), 65536);
    config.max_position_embeddings = metadata.integer("context_length", max_position_limit);
    config.rms_norm_eps = metadata.number_or("attention.layer_norm_rms_epsilon", 1e-6);
    read_rope(metadata, config);
    read_family(metadata, config);
    check_model_config(config, place);
    const TensorInfo* embedding = file.find("token_embd.weight");
    if (embedding == nullptr || embedding->shape.size() != 2)
        throw_error(ExitCode::bad_data, "{}: tensor token_embd.weight is missing or not a matrix", place);
    config.vocab_size = embedding->shape[0];
    config.tied_head = file.find("output.weight") == nullptr;
    constexpr std::int64_t no_token = 0xffffffff;  // how some converters say that there is none
    for (const char* name : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"})
        if (const auto id = file.integer(name); id && *id != no_token && *id >= 0) add_eos(config, *id, place);
    return config;
}

}  // namespace temper
