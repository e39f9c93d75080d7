#include "train/losses/unpaired.h"

#include <algorithm>
#include <cassert>

#include "train/losses/dual.h"

namespace temper {

bool is_unpaired(const DpoConfig& config) {
    return std::any_of(config.loss_type.begin(), config.loss_type.end(),
                       [](const std::string& name) { return name == "kto" || name == "apo_zero_unpaired"; });
}

UnpairedLoss make_unpaired_loss(const DpoConfig& config) {
    return {config.beta, config.desirable_weight, config.undesirable_weight, config.loss_type.at(0) == "kto"};
}

double mismatch_kl(Span<const double> policy, Span<const double> reference) {
    assert(policy.size() == reference.size());
    double sum = 0.0;
    for (std::size_t row = 0; row < policy.size(); ++row) sum += policy[row] - reference[row];
    const double mean = sum / static_cast<double>(policy.size());
    return mean < 0 ? 0.0 : mean;  // NaN stays NaN
}

// KTO, arXiv 2402.01306 eq. 7; APO, arXiv 2408.06266 eq. 7, is the same with a KL of 0.
void unpaired_loss(const UnpairedLoss& loss, const UnpairedBatch& batch, std::int64_t rows_of_global_batch, double kl,
                   const UnpairedResults& results) {
    const double anchor = loss.needs_kl ? kl : 0.0;
    for (std::size_t row = 0; row < batch.policy.size(); ++row) {
        const Dual reward = loss.beta * (Dual(batch.policy[row], 1.0, 0.0) - batch.reference[row] - anchor);
        const bool desirable = batch.desirable[row] != 0;
        const double weight = desirable ? loss.desirable_weight : loss.undesirable_weight;
        const Dual value = weight / static_cast<double>(rows_of_global_batch) * sigmoid(desirable ? -reward : reward);
        results.loss[row] = value.value;
        results.d_policy[row] = value.d_chosen;
    }
}

}  // namespace temper
