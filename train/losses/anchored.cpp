// Losses that hold each completion against the reference by itself, so that a chosen completion cannot grow less likely unnoticed.
#include <iterator>

#include "train/losses/methods.h"

namespace temper {
namespace {

// NCA, arXiv 2402.05369.
Dual nca_pair(const Pair& pair, const PreferenceNumbers& n) {
    const Dual chosen = n.beta * pair.chosen_ratio(), rejected = n.beta * pair.rejected_ratio();
    return -log_sigmoid(chosen) - 0.5 * log_sigmoid(-chosen) - 0.5 * log_sigmoid(-rejected);
}

// BCO, arXiv 2404.04656. The paper shifts rewards by a running mean delta; TRL 1.16's DPOTrainer has none (delta = 0), as here: no state.
Dual bco_pair(const Pair& pair, const PreferenceNumbers& n) {
    return -log_sigmoid(n.beta * pair.chosen_ratio()) - log_sigmoid(-(n.beta * pair.rejected_ratio()));
}

// SPPO, arXiv 2405.00675 eq. 4.7, with winning probabilities 1 and 0.
Dual sppo_hard(const Pair& pair, const PreferenceNumbers& n) {
    return square(pair.chosen_ratio() - 0.5 / n.beta) + square(pair.rejected_ratio() + 0.5 / n.beta);
}

// APO, arXiv 2408.06266 eq. 7: for chosen completions better than what the model says.
Dual apo_zero(const Pair& pair, const PreferenceNumbers& n) {
    return sigmoid(-(n.beta * pair.chosen_ratio())) + sigmoid(n.beta * pair.rejected_ratio());
}

// APO, eq. 8: for chosen completions worse than what the model says.
Dual apo_down(const Pair& pair, const PreferenceNumbers& n) {
    return sigmoid(n.beta * pair.chosen_ratio()) + sigmoid(-(n.beta * (pair.chosen_ratio() - pair.rejected_ratio())));
}

constexpr PreferenceMethod methods[] = {
    // name, needs_reference, knows_label_smoothing, knows_divergence, takes_means
    {"nca_pair", true, false, false, false, nca_pair, nullptr},   {"bco_pair", true, false, false, false, bco_pair, nullptr},
    {"sppo_hard", true, false, false, false, sppo_hard, nullptr}, {"apo_zero", true, false, false, false, apo_zero, nullptr},
    {"apo_down", true, false, false, false, apo_down, nullptr},
};

}  // namespace

Span<const PreferenceMethod> anchored_methods() { return {methods, std::size(methods)}; }

}  // namespace temper
