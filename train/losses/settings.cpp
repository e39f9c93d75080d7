// Which settings of dpo fit the losses that are named: a number that no loss reads would be lost in silence.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "train/losses/methods.h"
#include "train/losses/unpaired.h"

namespace temper {
namespace {

bool names(const DpoConfig& config, std::initializer_list<const char*> losses) {
    return std::any_of(config.loss_type.begin(), config.loss_type.end(), [&](const std::string& given) {
        return std::any_of(losses.begin(), losses.end(), [&](const char* loss) { return given == loss; });
    });
}

std::string losses_that(bool PreferenceMethod::*property) {
    std::vector<std::string> found;
    for (const Span<const PreferenceMethod>& family : {margin_methods(), anchored_methods(), optimal_transport_methods(), reference_free_methods()})
        for (const PreferenceMethod& method : family)
            if (method.*property) found.push_back(method.name);
    return fmt::format("{}", fmt::join(found, ", "));
}

PreferenceFault weights_fault(const DpoConfig& config) {
    const std::vector<double>& weights = config.loss_weights;
    if (config.loss_type.empty()) return {"loss_type", "no loss is named"};
    if (!weights.empty() && weights.size() != config.loss_type.size())
        return {"loss_weights", fmt::format("{} weights for {} losses", weights.size(), config.loss_type.size())};
    if (!weights.empty() && std::all_of(weights.begin(), weights.end(), [](double weight) { return weight == 0; }))
        return {"loss_weights", "every weight is 0, nothing would be learned"};
    if (is_unpaired(config) && config.loss_type.size() > 1)
        return {"loss_type", fmt::format("{}: kto and apo_zero_unpaired take rows of one labelled completion, the others pairs: name one alone",
                                         fmt::join(config.loss_type, ", "))};
    if (is_unpaired(config) && !weights.empty())
        return {"loss_weights", fmt::format("{} stands alone; desirable_weight and undesirable_weight weigh its rows", config.loss_type[0])};
    return {};
}

PreferenceFault smoothing_fault(const DpoConfig& config, const PreferenceLoss& loss) {
    const bool known = std::any_of(loss.terms.begin(), loss.terms.end(), [](const auto& term) { return term.method->knows_label_smoothing; });
    if (config.label_smoothing > 0 && !known)
        return {"label_smoothing", fmt::format("{} takes none{}; losses that do: {}", fmt::join(config.loss_type, ", "),
                                               loss.has("sigmoid") ? ": robust is sigmoid with label smoothing" : "",
                                               losses_that(&PreferenceMethod::knows_label_smoothing))};
    if (config.label_smoothing == 0 && loss.has("exo_pair"))
        return {"label_smoothing", "exo_pair takes its logarithm: expected more than 0; its paper has 0.001"};
    return {};
}

PreferenceFault divergence_fault(const DpoConfig& config, const PreferenceLoss& loss) {
    if (config.f_divergence_type == "reverse_kl") return {};
    for (const PreferenceLoss::Term& term : loss.terms)
        if (!term.method->knows_divergence)
            return {"f_divergence_type", fmt::format("{} beside {}: expected reverse_kl there; losses that take others: {}", config.f_divergence_type,
                                                     term.method->name, losses_that(&PreferenceMethod::knows_divergence))};
    return is_unpaired(config) ? PreferenceFault{"f_divergence_type", fmt::format("{} takes reverse_kl alone", config.loss_type[0])}
                               : PreferenceFault{};
}

PreferenceFault unread_fault(const DpoConfig& config) {
    const DpoConfig defaults;
    const auto unread = [](const char* setting, const char* readers) {
        return PreferenceFault{setting, fmt::format("no loss that is named reads it; it belongs to {}", readers)};
    };
    if (config.discopop_tau != defaults.discopop_tau && !names(config, {"discopop"})) return unread("discopop_tau", "discopop");
    if (config.simpo_gamma != defaults.simpo_gamma && !names(config, {"simpo"})) return unread("simpo_gamma", "simpo");
    if (config.cpo_alpha && !names(config, {"cpo", "simpo"})) return unread("cpo_alpha", "cpo and simpo");
    if (config.f_alpha_divergence_coef != defaults.f_alpha_divergence_coef && config.f_divergence_type != "alpha_divergence")
        return unread("f_alpha_divergence_coef", "f_divergence_type alpha_divergence");
    if (config.desirable_weight != defaults.desirable_weight && !is_unpaired(config)) return unread("desirable_weight", "kto and apo_zero_unpaired");
    if (config.undesirable_weight != defaults.undesirable_weight && !is_unpaired(config))
        return unread("undesirable_weight", "kto and apo_zero_unpaired");
    return {};
}

PreferenceFault reference_fault(const DpoConfig& config, const PreferenceLoss& loss) {
    if (is_unpaired(config) || loss.needs_reference()) return {};
    const std::string losses = fmt::format("{} compares with no reference", fmt::join(config.loss_type, ", "));
    if (config.precompute_ref_log_probs) return {"precompute_ref_log_probs", losses + ": there is nothing to precompute"};
    if (config.reference != "auto") return {"reference", losses + ": leave it out"};
    return {};
}

}  // namespace

PreferenceFault preference_fault(const DpoConfig& config) {
    PreferenceFault fault = weights_fault(config);
    if (!fault.setting.empty()) return fault;
    const PreferenceLoss loss = is_unpaired(config) ? PreferenceLoss{} : make_preference_loss(config);
    for (const auto& check : {smoothing_fault, divergence_fault, reference_fault})
        if (fault = check(config, loss); !fault.setting.empty()) return fault;
    return unread_fault(config);
}

}  // namespace temper
