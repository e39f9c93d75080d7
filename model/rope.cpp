#include "model/rope.h"

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

}  // namespace

std::vector<float> rope_inverse_frequencies(const ModelConfig& config) {
    std::vector<float> frequencies(static_cast<std::size_t>(config.head_size / 2));
    for (std::size_t i = 0; i < frequencies.size(); ++i) {
        const float exponent = static_cast<float>(2 * i) / static_cast<float>(config.head_size);
        float frequency = 1.0f / static_cast<float>(std::pow(config.rope_theta, static_cast<double>(exponent)));
        if (config.rope_scaling.kind == RopeScaling::Kind::linear) frequency /= static_cast<float>(config.rope_scaling.factor);
        if (config.rope_scaling.kind == RopeScaling::Kind::llama3) frequency = scale_llama3(frequency, config.rope_scaling);
        frequencies[i] = frequency;
    }
    return frequencies;
}

void fill_rope_table(const ModelConfig& config, RopeTable table) {
    const std::vector<float> frequencies = rope_inverse_frequencies(config);
    for (std::int64_t position = 0; position < table.cosine.size(0); ++position) {
        float* cosine = table.cosine.row<float>(position);
        float* sine = table.sine.row<float>(position);
        for (std::size_t i = 0; i < frequencies.size(); ++i) {
            const float angle = static_cast<float>(position) * frequencies[i];
            cosine[i] = static_cast<float>(std::cos(static_cast<double>(angle)));
            sine[i] = static_cast<float>(std::sin(static_cast<double>(angle)));
        }
    }
}

}  // namespace temper
