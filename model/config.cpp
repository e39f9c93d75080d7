#include "model/config.h"

#include <algorithm>
#include <cmath>

#include "kernels/error.h"
#include "model/weight_names.h"

namespace temper {

std::int64_t ModelConfig::window(std::int64_t layer) const {
    const auto index = static_cast<std::size_t>(layer);
    return index < sliding_layers.size() && sliding_layers[index] ? sliding_window : 0;
}

std::int64_t ModelConfig::body_parameters() const {
    return layers * (qkv_size() * hidden_size + attention_size() * hidden_size + 3 * intermediate_size * hidden_size);
}

std::int64_t ModelConfig::parameters() const {
    std::int64_t total = 0;
    for (const TensorInfo& weight : weight_list(*this)) {
        std::int64_t elements = 1;
        for (const std::int64_t size : weight.shape) elements *= size;
        total += elements;
    }
    return total;
}

void check_model_config(const ModelConfig& config, const std::string& place) {
    const auto check = [&](const char* name, double value, bool good) {
        if (!good || !std::isfinite(value)) throw_error(ExitCode::bad_data, "{}: {} is {}, which no model can have", place, name, value);
    };
    check("rope_theta", config.rope_theta, config.rope_theta > 0.0);
    check("the RoPE theta of layers with a window", config.local_rope_theta, config.local_rope_theta >= 0.0);
    check("rms_norm_eps", config.rms_norm_eps, config.rms_norm_eps >= 0.0);
    check("the RoPE scaling factor", config.rope_scaling.factor, config.rope_scaling.factor >= 1.0);
    check("the RoPE attention factor", config.rope_scaling.attention_factor, config.rope_scaling.attention_factor > 0.0);
    check("low_freq_factor", config.rope_scaling.low_freq_factor, config.rope_scaling.low_freq_factor > 0.0);
    check("the attention scale", config.attention_scale, config.attention_scale >= 0.0);
    check("the attention's soft cap", config.attention_softcap, config.attention_softcap >= 0.0);
    check("the logits' soft cap", config.logit_softcap, config.logit_softcap >= 0.0);
    if (config.heads % config.key_value_heads != 0)
        throw_error(ExitCode::bad_data, "{}: num_attention_heads {} is not a multiple of num_key_value_heads {}", place, config.heads,
                    config.key_value_heads);
    if (config.rotary_size % 2 != 0 || config.rotary_size < 2 || config.rotary_size > config.head_size)
        throw_error(ExitCode::bad_data, "{}: RoPE turns {} numbers of a head of {}, expected pairs that fit it", place, config.rotary_size,
                    config.head_size);
    for (const auto* factors : {&config.rope_scaling.short_factor, &config.rope_scaling.long_factor})
        if (config.rope_scaling.kind == RopeScaling::Kind::longrope && static_cast<std::int64_t>(factors->size()) != config.rotary_size / 2)
            throw_error(ExitCode::bad_data, "{}: longrope has {} factors, expected {}, half of what RoPE turns of a head", place, factors->size(),
                        config.rotary_size / 2);
}

void add_eos(ModelConfig& config, std::int64_t id, const std::string& place) {
    if (id < 0 || id >= config.vocab_size)
        throw_error(ExitCode::bad_data, "{}: end token {} is outside the vocabulary of {}", place, id, config.vocab_size);
    const auto token = static_cast<std::int32_t>(id);
    if (std::find(config.eos_ids.begin(), config.eos_ids.end(), token) == config.eos_ids.end()) config.eos_ids.push_back(token);
}

}  // namespace temper
