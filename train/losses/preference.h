// Losses over pairs (chosen, rejected) of log-probabilities, by TRL 1.16's names and formulas: pure functions in float64.
//
// The loss of a step is the sum over the pairs of its global batch divided by their number; nothing here knows of micro-batches or ranks.
// A pairwise loss of a pair depends on that pair and on the totals of the global batch, which the rows give before any forward pass: it may be
// asked for pair by pair, with the same bits. A coupled loss sorts the whole global batch and needs all of it in one call.
// A loss is one function and one line of the table in its family's file: margin.cpp, anchored.cpp, reference_free.cpp, optimal_transport.cpp.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/span.h"
#include "train/config.h"

namespace temper {

// Of a completion: the sum of the log-probabilities of its tokens, and their number.
struct PreferenceBatch {
    Span<const double> policy_chosen, policy_rejected;        // (pairs)
    Span<const double> reference_chosen, reference_rejected;  // (pairs), or empty where the loss needs no reference
    Span<const std::int64_t> chosen_tokens, rejected_tokens;  // (pairs)
};

struct BatchTotals {  // of the global batch
    std::int64_t pairs = 0, chosen_tokens = 0;
};

// What one call writes, (pairs) each. The loss of the global batch is the sum of `loss` over its pairs, in their order; d_* are the derivatives
// of that sum by the policy's log-probabilities.
struct PreferenceResults {
    Span<double> loss, d_chosen, d_rejected;
};

struct PreferenceMethod;  // train/losses/methods.h

enum class Divergence : std::uint8_t { reverse_kl, forward_kl, js, alpha };

struct PreferenceNumbers {
    double beta = 0.1, label_smoothing = 0.0, discopop_tau = 0.05, simpo_gamma = 0.5;
    double cpo_alpha = 1.0, simpo_alpha = 0.0;  // weight of the likelihood of the chosen completion
    Divergence divergence = Divergence::reverse_kl;
    double divergence_alpha = 0.5;
};

struct PreferenceLoss {
    struct Term {
        const PreferenceMethod* method;
        double weight;
    };
    std::vector<Term> terms;
    PreferenceNumbers numbers;

    bool needs_reference() const;  // of any term
    bool coupled() const;          // any term
    // Every term takes mean log-probabilities of a token and no reference: rewards and log-probabilities are logged as means too.
    bool logs_means() const;
    bool has(const std::string& name) const;
};

// For settings that passed config_check. Not for losses of unpaired rows: train/losses/unpaired.h.
PreferenceLoss make_preference_loss(const DpoConfig& config);

void preference_loss(const PreferenceLoss& loss, const PreferenceBatch& batch, const BatchTotals& totals, const PreferenceResults& results);

std::vector<std::string> preference_loss_names();  // of pairs and of unpaired rows
// A setting of dpo that cannot be: its name and what is wrong, or empty.
struct PreferenceFault {
    std::string setting, message;
};
PreferenceFault preference_fault(const DpoConfig& config);

}  // namespace temper
