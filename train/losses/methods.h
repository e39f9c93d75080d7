// The table of losses over pairs: what each needs, and its function.
#pragma once
#include "train/losses/dual.h"
#include "train/losses/preference.h"

namespace temper {

struct Pair {
    Dual chosen, rejected;  // the policy's log-probabilities: the two variables
    double reference_chosen = 0.0, reference_rejected = 0.0;
    double chosen_tokens = 1.0, rejected_tokens = 1.0;
    double tokens_a_pair = 1.0;  // of chosen completions, on average over the global batch
    Divergence divergence = Divergence::reverse_kl;
    double divergence_alpha = 0.5;

    // log(policy / reference): of what TRL calls the log-ratios.
    Dual chosen_ratio() const { return chosen - reference_chosen; }
    Dual rejected_ratio() const { return rejected - reference_rejected; }
    // f'(policy / reference) of the f-divergence, up to a constant; the log-ratio itself under the reverse KL divergence.
    Dual chosen_score() const;
    Dual rejected_score() const;
    Dual margin() const { return chosen_score() - rejected_score(); }
    // -log p of the chosen completion, so that the mean over pairs is the mean over tokens, as TRL takes it.
    Dual likelihood() const { return -chosen / tokens_a_pair; }
};

struct PreferenceMethod {
    const char* name;
    bool needs_reference;
    bool knows_label_smoothing;
    bool knows_divergence;                                             // of the margin alone: elsewhere the divergence's normaliser does not cancel
    bool takes_means;                                                  // of a token: what is logged, too
    Dual (*pair)(const Pair& pair, const PreferenceNumbers& numbers);  // null for a coupled loss
    // Adds weight / pairs times the loss and its derivatives. Null for a pairwise loss.
    void (*batch)(const PreferenceBatch& batch, const PreferenceNumbers& numbers, double weight, const PreferenceResults& results);
};

Span<const PreferenceMethod> margin_methods();             // of the difference of two rewards
Span<const PreferenceMethod> anchored_methods();           // each completion against the reference
Span<const PreferenceMethod> reference_free_methods();     // of the policy alone
Span<const PreferenceMethod> optimal_transport_methods();  // of the sorted batch

}  // namespace temper
