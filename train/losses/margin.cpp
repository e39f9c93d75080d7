// Losses of the difference of the two rewards: DPO and its relatives.
#include <algorithm>

#include "train/losses/methods.h"

namespace temper {
namespace {

// DPO, arXiv 2305.18290 eq. 7.
Dual logistic(const Pair& pair, const PreferenceNumbers& n) { return -log_sigmoid(n.beta * pair.margin()); }

// SLiC-HF, arXiv 2305.10425, with DPO's reward.
Dual hinge(const Pair& pair, const PreferenceNumbers& n) { return relu(1.0 - n.beta * pair.margin()); }

Dual mean_margin(const Pair& pair) { return pair.chosen_score() / pair.chosen_tokens - pair.rejected_score() / pair.rejected_tokens; }

// IPO, arXiv 2310.12036 eq. 17. The paper's log-ratios are of whole completions; TRL divides by their tokens, on its authors' word, as here.
Dual ipo(const Pair& pair, const PreferenceNumbers& n) { return square(mean_margin(pair) - 1.0 / (2.0 * n.beta)); }

// DPO with rewards a token.
Dual logistic_of_means(const Pair& pair, const PreferenceNumbers& n) { return -log_sigmoid(n.beta * mean_margin(pair)); }

// Robust DPO, arXiv 2403.00409: label_smoothing is the share of pairs that are the wrong way round.
Dual robust(const Pair& pair, const PreferenceNumbers& n) {
    const Dual x = n.beta * pair.margin();
    return (n.label_smoothing * log_sigmoid(-x) - (1.0 - n.label_smoothing) * log_sigmoid(x)) / (1.0 - 2.0 * n.label_smoothing);
}

// EXO, arXiv 2402.00856 eq. 16: KL from (q, 1 - q) of the rewards to (1 - eps, eps).
Dual exo_pair(const Pair& pair, const PreferenceNumbers& n) {
    const Dual x = n.beta * pair.margin();
    return sigmoid(x) * (log_sigmoid(x) - std::log1p(-n.label_smoothing)) + sigmoid(-x) * (log_sigmoid(-x) - std::log(n.label_smoothing));
}

// DiscoPOP, arXiv 2406.08414 eq. 5: logistic and exponential loss, blended by the margin. exp(-x) * sigmoid(x / tau) is taken as one exponential,
// so that a wide margin the wrong way does not give infinity times zero.
Dual discopop(const Pair& pair, const PreferenceNumbers& n) {
    const Dual x = n.beta * pair.margin(), modulation = x / n.discopop_tau;
    return exp(log_sigmoid(modulation) - x) - log_sigmoid(x) * sigmoid(-modulation);
}

// f-DPO, arXiv 2309.16240, with TRL's constants.
Dual score(const Dual& ratio, Divergence divergence, double alpha) {
    constexpr double largest_exponent = 80.0;  // TRL's, in float32
    switch (divergence) {
        case Divergence::reverse_kl: return ratio;
        case Divergence::forward_kl: return 1.0 - exp(-ratio);
        case Divergence::js: return std::log(2.0) + log_sigmoid(ratio);
        case Divergence::alpha: break;
    }
    if (std::abs(alpha - 1.0) < 1e-6) return ratio;  // the limit
    const Dual exponent = (alpha - 1.0) * ratio;
    return (exp(exponent.value > largest_exponent ? Dual(largest_exponent) : exponent) - 1.0) / (alpha - 1.0);
}

constexpr PreferenceMethod methods[] = {
    // name, needs_reference, knows_label_smoothing, knows_divergence, takes_means
    {"sigmoid", true, false, true, false, logistic, nullptr},
    {"hinge", true, false, true, false, hinge, nullptr},
    {"ipo", true, false, true, false, ipo, nullptr},
    {"exo_pair", true, true, true, false, exo_pair, nullptr},
    {"robust", true, true, true, false, robust, nullptr},
    {"discopop", true, false, true, false, discopop, nullptr},
    {"sigmoid_norm", true, false, true, false, logistic_of_means, nullptr},
};

}  // namespace

Dual Pair::chosen_score() const { return score(chosen_ratio(), divergence, divergence_alpha); }
Dual Pair::rejected_score() const { return score(rejected_ratio(), divergence, divergence_alpha); }

Span<const PreferenceMethod> margin_methods() { return {methods, std::size(methods)}; }

}  // namespace temper
