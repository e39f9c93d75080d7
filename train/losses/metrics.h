// What a step logs of its log-probabilities, by TRL's names. Sums are over pairs or rows: parts of a global batch add up to the whole, and to the
// same bits when single pairs are added in their order.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "train/losses/preference.h"
#include "train/losses/unpaired.h"
#include "train/objective.h"

namespace temper {

struct PreferenceSums {
    std::int64_t pairs = 0, accurate = 0, chosen_tokens = 0;  // accurate: the chosen reward is strictly the larger
    double chosen_rewards = 0.0, rejected_rewards = 0.0, margins = 0.0;
    double chosen_logps = 0.0, rejected_logps = 0.0;  // of means a token where the loss logs means
    double chosen_nll = 0.0;                          // of all tokens of chosen completions
    double log_odds = 0.0, log_odds_ratio = 0.0;      // orpo's

    PreferenceSums& operator+=(const PreferenceSums& other);
};

// Of the pairs of `batch`, added in their order. A reward is beta * log(policy / reference), or beta * log(policy) where there is no reference.
PreferenceSums preference_sums(const PreferenceLoss& loss, const PreferenceBatch& batch);
// rewards/chosen, rewards/rejected, rewards/accuracies, rewards/margins, logps/chosen, logps/rejected; and nll_loss, log_odds_chosen,
// log_odds_ratio of the losses for which TRL logs them.
NamedMetrics preference_metrics(const PreferenceLoss& loss, const PreferenceSums& sums);

struct UnpairedSums {
    std::int64_t desirable = 0, undesirable = 0;
    double desirable_rewards = 0.0, undesirable_rewards = 0.0, desirable_logps = 0.0, undesirable_logps = 0.0;

    UnpairedSums& operator+=(const UnpairedSums& other);
};

UnpairedSums unpaired_sums(const UnpairedLoss& loss, const UnpairedBatch& batch);
// rewards/chosen and logps/chosen are of desirable rows, rewards/rejected and logps/rejected of the others, each where there are any;
// rewards/margins where there are both; kl.
NamedMetrics unpaired_metrics(const UnpairedLoss& loss, const UnpairedSums& sums, double kl);

}  // namespace temper
