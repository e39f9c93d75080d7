// Losses of the policy alone. Where a likelihood of the chosen completion is added, it is the mean over the chosen tokens of the global batch,
// as in TRL and in the authors' programs; the papers of ORPO and CPO write it as a mean over pairs.
#include <algorithm>
#include <iterator>

#include "train/losses/methods.h"

namespace temper {
namespace {

Dual sft(const Pair& pair, const PreferenceNumbers&) { return pair.likelihood(); }

// -log sigmoid(log(odds_w / odds_l)), odds = p / (1 - p), p = exp of a mean log-probability. Slopes are written so that p_w = 1 gives
// finite ones; a p that rounds above 1 counts as 1.
Dual odds_ratio(const Dual& chosen, const Dual& rejected) {
    const double w = chosen.value > 0 ? 0.0 : chosen.value, l = rejected.value > 0 ? 0.0 : rejected.value;
    const double not_w = -std::expm1(w), not_l = -std::expm1(l);  // 1 - p
    const double sum = std::exp(w - l) * not_l + not_w;
    const double loss = -log_sigmoid((w - l) - (std::log(not_w) - std::log(not_l)));
    return chain(chosen, loss, -1.0 / sum) + chain(rejected, 0.0, not_w / (not_l * sum));
}

// ORPO, arXiv 2403.07691 eq. 6, beta being its lambda. The likelihood is the paper's, of the completion; TRL's takes the prompt's tokens too.
Dual orpo(const Pair& pair, const PreferenceNumbers& n) {
    return pair.likelihood() + n.beta * odds_ratio(pair.chosen / pair.chosen_tokens, pair.rejected / pair.rejected_tokens);
}

Dual smoothed_logistic(const Dual& x, const PreferenceNumbers& n) {
    return -(1.0 - n.label_smoothing) * log_sigmoid(x) - n.label_smoothing * log_sigmoid(-x);
}

// CPO, arXiv 2401.08417 eq. 3, and the likelihood beside it.
Dual cpo(const Pair& pair, const PreferenceNumbers& n) {
    return smoothed_logistic(n.beta * (pair.chosen - pair.rejected), n) + n.cpo_alpha * pair.likelihood();
}

// SimPO, arXiv 2405.14734. simpo_alpha is 0 in the paper; TRL's CPOTrainer adds the likelihood unless cpo_alpha is 0 (CPO-SimPO).
Dual simpo(const Pair& pair, const PreferenceNumbers& n) {
    const Dual margin = pair.chosen / pair.chosen_tokens - pair.rejected / pair.rejected_tokens;
    return smoothed_logistic(n.beta * margin - n.simpo_gamma, n) + n.simpo_alpha * pair.likelihood();
}

constexpr PreferenceMethod methods[] = {
    // name, needs_reference, knows_label_smoothing, knows_divergence, takes_means
    {"sft", false, false, true, false, sft, nullptr},
    {"orpo", false, false, false, true, orpo, nullptr},
    {"cpo", false, true, false, false, cpo, nullptr},
    {"simpo", false, true, false, true, simpo, nullptr},
};

}  // namespace

Span<const PreferenceMethod> reference_free_methods() { return {methods, std::size(methods)}; }

}  // namespace temper
