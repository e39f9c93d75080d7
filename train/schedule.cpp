#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/error.h"

namespace temper {
namespace {

struct Progress {
    double step, warmup, total;
    double share() const { return (step - warmup) / std::max(1.0, total - warmup); }  // of the time after warm-up
    double remaining() const { return std::max(0.0, (total - step) / std::max(1.0, total - warmup)); }
};

double setting(const TrainingConfig& config, const char* name, double fallback) {
    const auto found = config.lr_scheduler_kwargs.find(name);
    return found == config.lr_scheduler_kwargs.end() ? fallback : found->second;
}

double cosine(const TrainingConfig& config, const Progress& p) {
    const double cycles = setting(config, "num_cycles", 0.5);
    return std::max(0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * cycles * 2.0 * p.share())));
}

double cosine_with_min_lr(const TrainingConfig& config, double peak, const Progress& p) {
    const double floor = setting(config, "min_lr_rate", setting(config, "min_lr", 0.0) / peak);
    const double factor = 0.5 * (1.0 + std::cos(std::numbers::pi * setting(config, "num_cycles", 0.5) * 2.0 * p.share()));
    return std::max(0.0, factor * (1.0 - floor) + floor);
}

double polynomial(const TrainingConfig& config, double peak, const Progress& p) {
    const double end = setting(config, "lr_end", 1e-7), power = setting(config, "power", 1.0);
    if (p.step > p.total) return end / peak;
    return ((peak - end) * std::pow(1.0 - p.share(), power) + end) / peak;
}

double inverse_sqrt(const TrainingConfig& config, const Progress& p) {
    const double timescale = setting(config, "timescale", p.warmup > 0 ? p.warmup : 10000.0);
    return 1.0 / std::sqrt((p.step + timescale - p.warmup) / timescale);
}

// Warm-up, a plateau, then a cosine decay over the last num_decay_steps.
double warmup_stable_decay(const TrainingConfig& config, const Progress& p) {
    const double floor = setting(config, "min_lr_ratio", 0.0);
    const double decay = setting(config, "num_decay_steps", std::ceil(0.1 * p.total));
    const double stable_end = p.total - decay;
    if (p.step < stable_end) return 1.0;
    if (p.step >= p.total) return floor;
    const double share = (p.step - stable_end) / std::max(1.0, decay);
    const double factor = 0.5 * (1.0 + std::cos(std::numbers::pi * setting(config, "num_cycles", 0.5) * 2.0 * share));
    return std::max(0.0, (1.0 - floor) * factor + floor);
}

}  // namespace

std::int64_t warmup_steps(const TrainingConfig& config, std::int64_t total_steps) {
    if (config.warmup_steps < 1.0) return static_cast<std::int64_t>(std::ceil(static_cast<double>(total_steps) * config.warmup_steps));
    return static_cast<std::int64_t>(config.warmup_steps);
}

double learning_rate_at(const TrainingConfig& config, double peak, std::int64_t step, std::int64_t total_steps) {
    const std::string& type = config.lr_scheduler_type;
    if (type == "constant") return peak;
    const Progress p{static_cast<double>(step), static_cast<double>(warmup_steps(config, total_steps)), static_cast<double>(total_steps)};
    if (p.step < p.warmup) {
        const bool from_floor = type == "wsd" || type == "warmup_stable_decay";  // as transformers has it, of this schedule alone
        const double floor = from_floor ? setting(config, "min_lr_ratio", 0.0) : 0.0;
        return peak * (floor + (1.0 - floor) * p.step / std::max(1.0, p.warmup));
    }
    if (type == "constant_with_warmup") return peak;
    if (type == "linear") return peak * p.remaining();
    if (type == "cosine") return peak * cosine(config, p);
    if (type == "cosine_with_min_lr") return peak * cosine_with_min_lr(config, peak, p);
    if (type == "polynomial") return peak * polynomial(config, peak, p);
    if (type == "inverse_sqrt") return peak * inverse_sqrt(config, p);
    if (type == "wsd" || type == "warmup_stable_decay") return peak * warmup_stable_decay(config, p);
    throw_error(ExitCode::usage,
                "train.lr_scheduler_type is '{}', known are linear, cosine, cosine_with_min_lr, constant, constant_with_warmup, wsd, polynomial, "
                "inverse_sqrt",
                type);
}

}  // namespace temper
