#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace temper {
namespace {

// Long wavelengths are stretched by `factor`, short ones kept, those between blended smoothly.
float scale_llama3(float frequency, const RopeScaling& scaling) {
    const double original = static_cast<double>(scaling.original_max_position_embeddings);
    const double wavelength = 2.0 * std::numbers::pi / static_cast<double>(frequency);
    if (wavelength < original / scaling.high_freq_factor) return frequency;
    const float stretched = frequency / static_cast<float>(scaling.factor);
    if (wavelength > original / scaling.low_freq_factor) return stretched;
    const double smooth = (original / wavelength - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
    return static_cast<float>((1.0 - smooth) * static_cast<double>(stretched) + smooth * static_cast<double>(frequency));
}

// Share of the unstretched frequency in pair i: 1 below `low`, 0 above `high`.                 [Peng et al. 2023, eq. 21 to 23]
class YarnRamp {
  public:
    YarnRamp(const RopeScaling& scaling, double theta, std::int64_t rotary_size) {
        const auto pair_of = [&](double rotations) {
            const double original = static_cast<double>(scaling.original_max_position_embeddings);
            return static_cast<double>(rotary_size) * std::log(original / (rotations * 2.0 * std::numbers::pi)) / (2.0 * std::log(theta));
        };
        low_ = pair_of(scaling.beta_fast), high_ = pair_of(scaling.beta_slow);
        if (scaling.truncate) low_ = std::floor(low_), high_ = std::ceil(high_);
        low_ = std::max(low_, 0.0), high_ = std::min(high_, static_cast<double>(rotary_size - 1));
        if (low_ == high_) high_ += 0.001;
    }
    float unstretched(std::size_t i) const {
        const float ramp = (static_cast<float>(i) - static_cast<float>(low_)) / static_cast<float>(high_ - low_);
        return 1.0f - std::clamp(ramp, 0.0f, 1.0f);
    }

  private:
    double low_ = 0.0, high_ = 0.0;
};

// theta^(2i / rotary_size) of pair i.
std::vector<float> powers_of(double theta, std::int64_t rotary_size) {
    std::vector<float> powers(static_cast<std::size_t>(rotary_size / 2));
    for (std::size_t i = 0; i < powers.size(); ++i) {
        const float exponent = static_cast<float>(2 * i) / static_cast<float>(rotary_size);
        powers[i] = static_cast<float>(std::pow(theta, static_cast<double>(exponent)));
    }
    return powers;
}

void fill(RopeTable table, const std::vector<float>& frequencies, float factor) {
    for (std::int64_t position = 0; position < table.cosine.size(0); ++position) {
        float* cosine = table.cosine.row<float>(position);
        float* sine = table.sine.row<float>(position);
        for (std::size_t i = 0; i < frequencies.size(); ++i) {
            const float angle = static_cast<float>(position) * frequencies[i];
            cosine[i] = static_cast<float>(std::cos(static_cast<double>(angle))) * factor;
            sine[i] = static_cast<float>(std::sin(static_cast<double>(angle))) * factor;
        }
    }
}

}  // namespace

std::vector<float> rope_inverse_frequencies(const ModelConfig& config, std::int64_t positions) {
    const RopeScaling& scaling = config.rope_scaling;
    const std::vector<float> powers = powers_of(config.rope_theta, config.rotary_size);
    const YarnRamp ramp(scaling, config.rope_theta, config.rotary_size);
    const auto& divisors = positions > scaling.original_max_position_embeddings ? scaling.long_factor : scaling.short_factor;
    const auto factor = static_cast<float>(scaling.factor);
    std::vector<float> frequencies(powers.size());
    for (std::size_t i = 0; i < powers.size(); ++i) {
        const float plain = 1.0f / powers[i];
        switch (scaling.kind) {
            case RopeScaling::Kind::none: frequencies[i] = plain; break;
            case RopeScaling::Kind::linear: frequencies[i] = plain / factor; break;
            case RopeScaling::Kind::llama3: frequencies[i] = scale_llama3(plain, scaling); break;
            case RopeScaling::Kind::yarn: {
                const float kept = ramp.unstretched(i);
                frequencies[i] = 1.0f / (factor * powers[i]) * (1.0f - kept) + plain * kept;
                break;
            }
            case RopeScaling::Kind::longrope: frequencies[i] = 1.0f / (static_cast<float>(divisors[i]) * powers[i]); break;
        }
    }
    return frequencies;
}

void fill_rope_table(const ModelConfig& config, RopeTable table) {
    fill(table, rope_inverse_frequencies(config, table.cosine.size(0)), static_cast<float>(config.rope_scaling.attention_factor));
}

void fill_local_rope_table(const ModelConfig& config, RopeTable table) {
    ModelConfig local = config;
    local.rope_theta = config.local_rope_theta;
    local.rope_scaling = {};
    fill_rope_table(local, table);
}

}  // namespace temper
