// Learning rates by step, as transformers' optimization.py computes them.
#pragma once
#include <cstdint>

#include "train/config.h"

namespace temper {

// Steps of warm-up: warmup_steps, or that share of all steps, rounded up, when it is below 1.
std::int64_t warmup_steps(const TrainingConfig& config, std::int64_t total_steps);
// The rate used by the update number `step` (from 0) of `total_steps`. With a warm-up the first rate is 0, as in transformers.
double learning_rate_at(const TrainingConfig& config, double peak, std::int64_t step, std::int64_t total_steps);

}  // namespace temper
