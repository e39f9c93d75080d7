#include <algorithm>
#include <cmath>

#include "model/config_reader.h"

namespace temper {
namespace {

// The length that the model was first trained on, which the scaling stretches. Phi keeps it outside of the RoPE settings, and there it counts.
std::int64_t original_length(const ConfigReader& fields, const ConfigReader& rope, const ModelConfig& config) {
    const char* const key = "original_max_position_embeddings";
    if (fields.has(key)) return fields.integer(key, max_position_limit);
    return rope.integer_or(key, config.max_position_embeddings, max_position_limit);
}

double stretch(const ConfigReader& rope, const ModelConfig& config, const RopeScaling& scaling) {
    return rope.number_or("factor",
                          static_cast<double>(config.max_position_embeddings) / static_cast<double>(scaling.original_max_position_embeddings));
}

void read_llama3(const ConfigReader& rope, RopeScaling& scaling) {
    scaling.low_freq_factor = rope.number_or("low_freq_factor", 1.0);
    scaling.high_freq_factor = rope.number_or("high_freq_factor", 4.0);
    if (scaling.high_freq_factor <= scaling.low_freq_factor) rope.refuse("high_freq_factor", "it must exceed low_freq_factor");
}

// [Peng et al. 2023, arXiv:2309.00071]
void read_yarn(const ConfigReader& rope, RopeScaling& scaling) {
    const auto magnitude = [&](double times) { return scaling.factor <= 1.0 ? 1.0 : 0.1 * times * std::log(scaling.factor) + 1.0; };
    const double mscale = rope.number_or("mscale", 0.0), all = rope.number_or("mscale_all_dim", 0.0);
    const double otherwise = mscale != 0.0 && all != 0.0 ? magnitude(mscale) / magnitude(all) : magnitude(1.0);
    scaling.attention_factor = rope.number_or("attention_factor", otherwise);
    const auto or_default = [](double value, double otherwise_value) { return value == 0.0 ? otherwise_value : value; };
    scaling.beta_fast = or_default(rope.number_or("beta_fast", 32.0), 32.0);
    scaling.beta_slow = or_default(rope.number_or("beta_slow", 1.0), 1.0);
    if (scaling.beta_fast <= 0.0 || scaling.beta_slow <= 0.0) rope.refuse("beta_fast", "beta_fast and beta_slow are positive");
    scaling.truncate = rope.flag_or("truncate", true);
}

// [Ding et al. 2024, arXiv:2402.13753]
void read_longrope(const ConfigReader& rope, RopeScaling& scaling) {
    scaling.short_factor = rope.numbers("short_factor");
    scaling.long_factor = rope.numbers("long_factor");
    const double original = static_cast<double>(scaling.original_max_position_embeddings);
    const double otherwise = scaling.factor <= 1.0 || original <= 1.0 ? 1.0 : std::sqrt(1.0 + std::log(scaling.factor) / std::log(original));
    scaling.attention_factor = rope.number_or("attention_factor", otherwise);
}

RopeScaling parse_scaling(const ConfigReader& fields, const ConfigReader& rope, const ModelConfig& config) {
    RopeScaling scaling;
    std::string kind = rope.text_or("rope_type", rope.text_or("type", "default"));
    if (config.family == "phi3" && (kind == "su" || kind == "yarn")) kind = "longrope";  // its older names
    if (kind == "default") return scaling;
    const bool known = kind == "linear" || kind == "llama3" || kind == "yarn" || kind == "longrope";
    if (!known) rope.refuse(rope.has("rope_type") ? "rope_type" : "type", "known RoPE kinds are default, linear, llama3, yarn and longrope");
    scaling.original_max_position_embeddings = original_length(fields, rope, config);
    const bool stretched_by_lengths = kind == "yarn" || kind == "longrope";
    scaling.factor = stretched_by_lengths ? stretch(rope, config, scaling) : rope.number_or("factor", 0.0);
    if (!stretched_by_lengths && scaling.factor < 1.0) rope.refuse("factor", "a RoPE scaling factor is at least 1");
    if (kind == "linear") scaling.kind = RopeScaling::Kind::linear;
    if (kind == "llama3") scaling.kind = RopeScaling::Kind::llama3, read_llama3(rope, scaling);
    if (kind == "yarn") scaling.kind = RopeScaling::Kind::yarn, read_yarn(rope, scaling);
    if (kind == "longrope") scaling.kind = RopeScaling::Kind::longrope, read_longrope(rope, scaling);
    scaling.factor = std::max(scaling.factor, 1.0);
    return scaling;
}

void read_settings(const ConfigReader& fields, const ConfigReader& rope, ModelConfig& config) {
    config.rope_theta = rope.number_or("rope_theta", config.rope_theta);
    config.rope_scaling = parse_scaling(fields, rope, config);
    const double share = rope.number_or("partial_rotary_factor", fields.number_or("partial_rotary_factor", 1.0));
    if (!(share > 0.0 && share <= 1.0)) rope.refuse("partial_rotary_factor", "it is a share of the head, above 0 and at most 1");
    config.rotary_size = static_cast<std::int64_t>(static_cast<double>(config.head_size) * share);
}

}  // namespace

void parse_rope(const ConfigReader& fields, ModelConfig& config) {
    config.rotary_size = config.head_size;
    const bool two_kinds = config.family == "gemma3_text";
    config.rope_theta = fields.number_or("rope_theta", two_kinds ? 1e6 : 10000.0);
    if (two_kinds) config.local_rope_theta = fields.number_or("rope_local_base_freq", 10000.0);
    for (const char* key : {"rope_parameters", "rope_scaling"}) {
        if (!fields.has(key)) continue;
        const ConfigReader rope(fields.at(key), fields.place() + ": " + key);
        if (two_kinds && rope.has("sliding_attention")) {
            const ConfigReader local(rope.at("sliding_attention"), rope.place() + ".sliding_attention");
            config.local_rope_theta = local.number_or("rope_theta", config.local_rope_theta);
            if (local.text_or("rope_type", "default") != "default") local.refuse("rope_type", "layers with a window are not stretched");
        }
        if (two_kinds && rope.has("full_attention")) {
            read_settings(fields, ConfigReader(rope.at("full_attention"), rope.place() + ".full_attention"), config);
        } else {
            read_settings(fields, rope, config);
        }
        return;
    }
    const Json none = Json::object();
    read_settings(fields, ConfigReader(none, fields.place()), config);
}

}  // namespace temper
