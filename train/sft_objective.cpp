#include "train/sft_objective.h"

#include "train/row_checks.h"

namespace temper {
namespace {

enum : std::size_t { nll, labels, correct };  // in LeafSums

}  // namespace

SftObjective::SftObjective(const Decoder& decoder, const TokenDataset& data, const TrainingConfig& config, ObjectiveSize size)
    : decoder_(decoder), data_(data), config_(config), batch_(decoder, size) {}

StepRows SftObjective::cut(std::vector<std::int64_t> rows) const { return cut_step(data_, std::move(rows), config_.leaf_tokens, decoder_.config()); }

bool SftObjective::prepare(const StepRows&, std::int64_t number, Range, Comm&, View) {
    batch_.set_dropout(decoder_.lora().settings.dropout, static_cast<std::uint64_t>(config_.seed), static_cast<std::uint64_t>(number));
    return true;
}

void SftObjective::run(const StepRows& step, Range leaves, std::vector<LeafSums>& sums) {
    batch_.submit(data_, step, leaves, static_cast<float>(1.0 / static_cast<double>(step.labels)));
    results_.clear();
    batch_.drain(results_, batch_.most_ahead());
    add(sums);
}

void SftObjective::drain(std::vector<LeafSums>& sums) {
    results_.clear();
    batch_.drain(results_);
    add(sums);
}

void SftObjective::add(std::vector<LeafSums>& sums) {
    for (const LeafResult& result : results_) {
        LeafSums leaf;
        leaf.flops = result.cost;
        leaf.values[nll] = result.nll;
        leaf.values[labels] = static_cast<double>(result.labels);
        leaf.values[correct] = static_cast<double>(result.correct);
        sums.push_back(leaf);
    }
}

double SftObjective::loss(const LeafSums& total) const { return total.values[nll] / total.values[labels]; }

NamedMetrics SftObjective::metrics(const LeafSums& total) const { return {{"mean_token_accuracy", total.values[correct] / total.values[labels]}}; }

void SftData::check_ids(const ModelConfig& model, const std::string& role) const {
    for (std::int64_t row = 0; row < data_.rows(); ++row) check_row_ids(data_.ids(row), model.vocab_size, role, data_.source_line(row));
}

std::unique_ptr<Objective> SftData::make_objective(Decoder& decoder, const Config& config, ObjectiveSize size) const {
    return std::make_unique<SftObjective>(decoder, data_, config.train, size);
}

std::size_t SftData::predict_bytes(const ModelConfig& model, const LoraLayout& lora, DType dtype, ObjectiveSize size) const {
    return SftBatch::predict_bytes(model, lora, dtype, size);
}

}  // namespace temper
