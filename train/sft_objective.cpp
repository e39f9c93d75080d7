#include "train/sft_objective.h"

namespace temper {
namespace {

enum : std::size_t { nll, labels, correct };  // in LeafSums

}  // namespace

SftObjective::SftObjective(const Decoder& decoder, const TokenDataset& data, const TrainingConfig& config, std::int64_t tokens, std::int64_t leaves,
                           Activations::Keep keep)
    : decoder_(decoder), data_(data), config_(config), batch_(decoder, tokens, leaves, keep) {}

StepRows SftObjective::cut(std::vector<std::int64_t> rows) const { return cut_step(data_, std::move(rows), config_.leaf_tokens, decoder_.config()); }

bool SftObjective::prepare(const StepRows&, std::int64_t number, Range, Comm&) {
    batch_.set_dropout(decoder_.lora().settings.dropout, static_cast<std::uint64_t>(config_.seed), static_cast<std::uint64_t>(number));
    return true;
}

void SftObjective::run(const StepRows& step, Range leaves, std::vector<LeafSums>& sums) {
    results_.clear();
    batch_.run(data_, step, leaves, static_cast<float>(1.0 / static_cast<double>(step.labels)), results_);
    for (const LeafResult& result : results_) {
        LeafSums leaf;
        leaf.values[nll] = result.nll;
        leaf.values[labels] = static_cast<double>(result.labels);
        leaf.values[correct] = static_cast<double>(result.correct);
        sums.push_back(leaf);
    }
}

double SftObjective::loss(const LeafSums& total) const { return total.values[nll] / total.values[labels]; }

NamedMetrics SftObjective::metrics(const LeafSums& total) const { return {{"mean_token_accuracy", total.values[correct] / total.values[labels]}}; }

}  // namespace temper
