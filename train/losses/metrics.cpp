#include "train/losses/metrics.h"

#include <algorithm>

#include "train/losses/dual.h"

namespace temper {
namespace {

double log_odds(double logp) {  // of p = exp(logp); what rounds above 1 counts as 1
    const double x = logp > 0 ? 0.0 : logp;
    return x - std::log(-std::expm1(x));
}

double tokens(std::int64_t count) { return static_cast<double>(std::max<std::int64_t>(count, 1)); }

}  // namespace

PreferenceSums& PreferenceSums::operator+=(const PreferenceSums& other) {
    pairs += other.pairs;
    accurate += other.accurate;
    chosen_tokens += other.chosen_tokens;
    chosen_rewards += other.chosen_rewards;
    rejected_rewards += other.rejected_rewards;
    margins += other.margins;
    chosen_logps += other.chosen_logps;
    rejected_logps += other.rejected_logps;
    chosen_nll += other.chosen_nll;
    log_odds += other.log_odds;
    log_odds_ratio += other.log_odds_ratio;
    return *this;
}

PreferenceSums preference_sums(const PreferenceLoss& loss, const PreferenceBatch& batch) {
    PreferenceSums sums;
    for (std::size_t i = 0; i < batch.policy_chosen.size(); ++i) {
        const bool means = loss.logs_means(), compared = loss.needs_reference();
        const double chosen_logp = batch.policy_chosen[i] / (means ? tokens(batch.chosen_tokens[i]) : 1.0);
        const double rejected_logp = batch.policy_rejected[i] / (means ? tokens(batch.rejected_tokens[i]) : 1.0);
        const double chosen = loss.numbers.beta * (chosen_logp - (compared ? batch.reference_chosen[i] : 0.0));
        const double rejected = loss.numbers.beta * (rejected_logp - (compared ? batch.reference_rejected[i] : 0.0));
        PreferenceSums pair;
        pair.pairs = 1;
        pair.accurate = chosen > rejected ? 1 : 0;
        pair.chosen_tokens = batch.chosen_tokens[i];
        pair.chosen_rewards = chosen;
        pair.rejected_rewards = rejected;
        pair.margins = chosen - rejected;
        pair.chosen_logps = chosen_logp;
        pair.rejected_logps = rejected_logp;
        pair.chosen_nll = -batch.policy_chosen[i];
        if (means) {
            pair.log_odds = log_odds(chosen_logp) - log_odds(rejected_logp);
            pair.log_odds_ratio = log_sigmoid(pair.log_odds);
        }
        sums += pair;
    }
    return sums;
}

NamedMetrics preference_metrics(const PreferenceLoss& loss, const PreferenceSums& sums) {
    const double pairs = static_cast<double>(sums.pairs);
    NamedMetrics metrics = {{"rewards/chosen", sums.chosen_rewards / pairs},
                            {"rewards/rejected", sums.rejected_rewards / pairs},
                            {"rewards/accuracies", static_cast<double>(sums.accurate) / pairs},
                            {"rewards/margins", sums.margins / pairs},
                            {"logps/chosen", sums.chosen_logps / pairs},
                            {"logps/rejected", sums.rejected_logps / pairs}};
    const bool orpo = loss.has("orpo");
    if (orpo || loss.has("cpo") || loss.has("simpo")) metrics.emplace_back("nll_loss", sums.chosen_nll / tokens(sums.chosen_tokens));
    if (orpo && loss.logs_means()) {
        metrics.emplace_back("log_odds_chosen", sums.log_odds / pairs);
        metrics.emplace_back("log_odds_ratio", sums.log_odds_ratio / pairs);
    }
    return metrics;
}

UnpairedSums& UnpairedSums::operator+=(const UnpairedSums& other) {
    desirable += other.desirable;
    undesirable += other.undesirable;
    desirable_rewards += other.desirable_rewards;
    undesirable_rewards += other.undesirable_rewards;
    desirable_logps += other.desirable_logps;
    undesirable_logps += other.undesirable_logps;
    return *this;
}

UnpairedSums unpaired_sums(const UnpairedLoss& loss, const UnpairedBatch& batch) {
    UnpairedSums sums;
    for (std::size_t row = 0; row < batch.policy.size(); ++row) {
        const double reward = loss.beta * (batch.policy[row] - batch.reference[row]);
        const bool desirable = batch.desirable[row] != 0;
        (desirable ? sums.desirable : sums.undesirable) += 1;
        (desirable ? sums.desirable_rewards : sums.undesirable_rewards) += reward;
        (desirable ? sums.desirable_logps : sums.undesirable_logps) += batch.policy[row];
    }
    return sums;
}

NamedMetrics unpaired_metrics(const UnpairedLoss& loss, const UnpairedSums& sums, double kl) {
    const double desirable = static_cast<double>(sums.desirable), undesirable = static_cast<double>(sums.undesirable);
    NamedMetrics metrics;
    if (sums.desirable > 0) {
        metrics.emplace_back("rewards/chosen", sums.desirable_rewards / desirable);
        metrics.emplace_back("logps/chosen", sums.desirable_logps / desirable);
    }
    if (sums.undesirable > 0) {
        metrics.emplace_back("rewards/rejected", sums.undesirable_rewards / undesirable);
        metrics.emplace_back("logps/rejected", sums.undesirable_logps / undesirable);
    }
    if (sums.desirable > 0 && sums.undesirable > 0)
        metrics.emplace_back("rewards/margins", sums.desirable_rewards / desirable - sums.undesirable_rewards / undesirable);
    metrics.emplace_back("kl", loss.needs_kl ? kl : 0.0);
    return metrics;
}

}  // namespace temper
