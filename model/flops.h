// Floating-point operations of the work, for balance between ranks and for the share of peak in reports. Per token, with N body
// weights, Nh head weights, P adapter parameters, A attention: LoRA SFT = 4N + 4 rho Nh + 6P + 3.5A (no weight gradients of frozen
// weights; rho = share of labelled tokens; attention backward 2.5 times its forward).
#pragma once
#include "model/config.h"

namespace temper {

// Attention forward of one document of `length` tokens, causal: 2 products of length^2/2 pairs.
double attention_flops(const ModelConfig& config, std::int64_t length);
// Forward and backward of one row under LoRA, without the adapter's own share.
double sft_row_flops(const ModelConfig& config, std::int64_t length, std::int64_t labels);
inline double adapter_flops(std::int64_t parameters, std::int64_t tokens) {
    return 6.0 * static_cast<double>(parameters) * static_cast<double>(tokens);
}

}  // namespace temper
