#include "model/flops.h"

namespace temper {

double attention_flops(const ModelConfig& config, std::int64_t length) {
    const double n = static_cast<double>(length);
    return 2.0 * n * n * static_cast<double>(config.attention_size() * config.layers);
}

double sft_row_flops(const ModelConfig& config, std::int64_t length, std::int64_t labels) {
    // Behind the attention of the last layer only rows with a label are computed.
    const std::int64_t last = config.hidden_size * (config.attention_size() + 3 * config.intermediate_size);
    return 4.0 * static_cast<double>(config.body_parameters() - last) * static_cast<double>(length) +
           4.0 * static_cast<double>(config.head_parameters() + last) * static_cast<double>(labels) + 3.5 * attention_flops(config, length);
}

}  // namespace temper
