// Supervised fine-tuning: the mean loss of a step's supervised tokens.
#pragma once
#include "train/sft_batch.h"

namespace temper {

class SftObjective : public Objective {
  public:
    // Buffers for micro-batches of at most `tokens` tokens and `leaves` leaves; Keep::nothing is evaluation. All must outlive it.
    SftObjective(const Decoder& decoder, const TokenDataset& data, const TrainingConfig& config, std::int64_t tokens, std::int64_t leaves,
                 Activations::Keep keep);

    std::int64_t rows() const override { return data_.rows(); }
    std::string source_line(std::int64_t row) const override { return data_.source_line(row); }
    StepRows cut(std::vector<std::int64_t> rows) const override;
    bool prepare(const StepRows& step, std::int64_t number, Range mine, Comm& comm) override;
    void run(const StepRows& step, Range leaves, std::vector<LeafSums>& sums) override;
    View gradients() const override { return batch_.gradients(); }
    std::int64_t first_non_finite_row() const override { return batch_.first_non_finite_row(); }
    double loss(const LeafSums& total) const override;
    NamedMetrics metrics(const LeafSums& total) const override;

  private:
    const Decoder& decoder_;
    const TokenDataset& data_;
    const TrainingConfig& config_;
    SftBatch batch_;
    std::vector<LeafResult> results_;
};

}  // namespace temper
