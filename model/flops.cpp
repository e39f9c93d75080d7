#include "model/flops.h"

namespace temper {

double attention_flops(const ModelConfig& config, std::int64_t length) {
    const double n = static_cast<double>(length);
    return 2.0 * n * n * static_cast<double>(config.attention_size() * config.layers);
}

double sft_row_flops(const ModelConfig& config, std::int64_t length, std::int64_t labels) {
    return 4.0 * static_cast<double>(config.body_parameters()) * static_cast<double>(length) +
           4.0 * static_cast<double>(config.head_parameters()) * static_cast<double>(labels) + 3.5 * attention_flops(config, length);
}

}  // namespace temper
