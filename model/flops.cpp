#include "model/flops.h"

namespace temper {

double attention_flops(const ModelConfig& config, std::int64_t length) {
    double pairs = 0.0;  // of query and key, all layers; half of the square where nothing is hidden
    for (std::int64_t i = 0; i < config.layers; ++i) {
        const std::int64_t window = config.window(i);
        const double n = static_cast<double>(length), hidden = window > 0 && window < length ? static_cast<double>(length - window) : 0.0;
        pairs += (n * n - hidden * hidden) / 2.0;
    }
    return 4.0 * pairs * static_cast<double>(config.attention_size());
}

double sft_row_flops(const ModelConfig& config, std::int64_t length, std::int64_t labels) {
    // Behind the attention of the last layer only rows with a label are computed.
    const std::int64_t last = config.hidden_size * (config.attention_size() + 3 * config.intermediate_size);
    return 4.0 * static_cast<double>(config.body_parameters() - last) * static_cast<double>(length) +
           4.0 * static_cast<double>(config.head_parameters() + last) * static_cast<double>(labels) + 3.5 * attention_flops(config, length);
}

}  // namespace temper
