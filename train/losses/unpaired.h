// Losses over single completions that are labelled desirable or not: KTO, and APO's form for them, as TRL 1.16's KTOTrainer has them.
//
// The loss of a step is the sum over the rows of its global batch divided by their number. KTO measures rewards from an estimate of the KL
// divergence of policy and reference over the whole global batch, through which no gradient flows: with that number known, rows are
// independent and may be asked for one by one, with the same bits.
#pragma once
#include <cstdint>

#include "kernels/span.h"
#include "train/config.h"

namespace temper {

struct UnpairedLoss {
    double beta = 0.1, desirable_weight = 1.0, undesirable_weight = 1.0;
    bool needs_kl = true;  // kto; apo_zero_unpaired takes 0
};

bool is_unpaired(const DpoConfig& config);
UnpairedLoss make_unpaired_loss(const DpoConfig& config);

// The estimate takes every prompt with the completion of another row of the global batch: the one before it, and the last for the first.
// In a global batch of one row that is its own completion, and its reward is measured from itself.
inline std::size_t mismatched_completion(std::size_t row, std::size_t rows) { return (row + rows - 1) % rows; }
// Mean of log(policy / reference) of the mismatched completions (rows), at least 0.
double mismatch_kl(Span<const double> policy, Span<const double> reference);

struct UnpairedBatch {
    Span<const double> policy, reference;  // (rows): sums of log-probabilities over the completion
    Span<const std::uint8_t> desirable;    // (rows): 1 or 0
};

struct UnpairedResults {
    Span<double> loss, d_policy;  // (rows): as in PreferenceResults
};

void unpaired_loss(const UnpairedLoss& loss, const UnpairedBatch& batch, std::int64_t rows_of_global_batch, double kl,
                   const UnpairedResults& results);

}  // namespace temper
