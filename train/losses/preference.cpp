#include "train/losses/preference.h"

#include <algorithm>
#include <cassert>

#include "train/losses/methods.h"

namespace temper {
namespace {

std::vector<const PreferenceMethod*> all_methods() {
    std::vector<const PreferenceMethod*> all;
    for (const Span<const PreferenceMethod>& family : {margin_methods(), anchored_methods(), optimal_transport_methods(), reference_free_methods()})
        for (const PreferenceMethod& method : family) all.push_back(&method);
    return all;
}

const PreferenceMethod* find_method(const std::string& name) {
    const auto all = all_methods();
    const auto found = std::find_if(all.begin(), all.end(), [&](const PreferenceMethod* method) { return name == method->name; });
    return found == all.end() ? nullptr : *found;
}

Divergence divergence_of(const std::string& name) {
    if (name == "forward_kl") return Divergence::forward_kl;
    if (name == "js_divergence") return Divergence::js;
    return name == "alpha_divergence" ? Divergence::alpha : Divergence::reverse_kl;
}

double at_least_one(std::int64_t tokens) { return static_cast<double>(std::max<std::int64_t>(tokens, 1)); }

Pair pair_of(const PreferenceLoss& loss, const PreferenceBatch& batch, const BatchTotals& totals, std::size_t index) {
    Pair pair;
    pair.chosen = Dual(batch.policy_chosen[index], 1.0, 0.0);
    pair.rejected = Dual(batch.policy_rejected[index], 0.0, 1.0);
    if (!batch.reference_chosen.empty()) {
        pair.reference_chosen = batch.reference_chosen[index];
        pair.reference_rejected = batch.reference_rejected[index];
    }
    pair.chosen_tokens = at_least_one(batch.chosen_tokens[index]);
    pair.rejected_tokens = at_least_one(batch.rejected_tokens[index]);
    pair.tokens_a_pair = at_least_one(totals.chosen_tokens) / static_cast<double>(totals.pairs);
    pair.divergence = loss.numbers.divergence;
    pair.divergence_alpha = loss.numbers.divergence_alpha;
    return pair;
}

template <class Property> bool any_term(const PreferenceLoss& loss, Property property) {
    return std::any_of(loss.terms.begin(), loss.terms.end(), [&](const PreferenceLoss::Term& term) { return property(*term.method); });
}

}  // namespace

bool PreferenceLoss::needs_reference() const {
    return any_term(*this, [](const PreferenceMethod& method) { return method.needs_reference; });
}

bool PreferenceLoss::coupled() const {
    return any_term(*this, [](const PreferenceMethod& method) { return method.batch != nullptr; });
}

bool PreferenceLoss::logs_means() const {
    return !any_term(*this, [](const PreferenceMethod& method) { return !method.takes_means; });
}

bool PreferenceLoss::has(const std::string& name) const {
    return any_term(*this, [&](const PreferenceMethod& method) { return name == method.name; });
}

PreferenceLoss make_preference_loss(const DpoConfig& config) {
    PreferenceLoss loss;
    for (std::size_t i = 0; i < config.loss_type.size(); ++i) {
        const PreferenceMethod* method = find_method(config.loss_type[i]);
        assert(method != nullptr);
        loss.terms.push_back({method, config.loss_weights.empty() ? 1.0 : config.loss_weights[i]});
    }
    loss.numbers = {config.beta,
                    config.label_smoothing,
                    config.discopop_tau,
                    config.simpo_gamma,
                    config.cpo_alpha.value_or(1.0),
                    config.cpo_alpha.value_or(0.0),
                    divergence_of(config.f_divergence_type),
                    config.f_alpha_divergence_coef};
    return loss;
}

void preference_loss(const PreferenceLoss& loss, const PreferenceBatch& batch, const BatchTotals& totals, const PreferenceResults& results) {
    const std::size_t pairs = batch.policy_chosen.size();
    assert(totals.pairs > 0 && results.loss.size() == pairs && batch.chosen_tokens.size() == pairs);
    assert(!loss.needs_reference() || batch.reference_chosen.size() == pairs);
    assert(!loss.coupled() || static_cast<std::int64_t>(pairs) == totals.pairs);
    for (std::size_t i = 0; i < pairs; ++i) {
        const Pair pair = pair_of(loss, batch, totals, i);
        Dual sum;
        for (const PreferenceLoss::Term& term : loss.terms)
            if (term.method->pair != nullptr) sum = sum + term.weight * term.method->pair(pair, loss.numbers);
        const Dual share = sum / static_cast<double>(totals.pairs);
        results.loss[i] = share.value;
        results.d_chosen[i] = share.d_chosen;
        results.d_rejected[i] = share.d_rejected;
    }
    for (const PreferenceLoss::Term& term : loss.terms)
        if (term.method->batch != nullptr) term.method->batch(batch, loss.numbers, term.weight, results);
}

std::vector<std::string> preference_loss_names() {
    std::vector<std::string> names;
    for (const PreferenceMethod* method : all_methods()) names.push_back(method->name);
    names.insert(names.end(), {"kto", "apo_zero_unpaired"});
    return names;
}

}  // namespace temper
