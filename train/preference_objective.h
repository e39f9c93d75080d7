// Preference tuning: pairs of answers or labelled ones, by the losses of train/losses/, against a reference that is the frozen model, the adapter
// that training starts with, or none.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "train/answer_batch.h"
#include "train/losses/metrics.h"
#include "train/preference_dataset.h"
#include "train/reference_scores.h"
#include "train/training_data.h"

namespace temper {

class PreferenceObjective : public Objective {
  public:
    PreferenceObjective(Decoder& decoder, const PreferenceDataset& data, const Config& config, std::shared_ptr<ReferenceScores> reference,
                        ObjectiveSize size);
    static std::size_t predict_bytes(const PreferenceDataset& data, const Config& config, const ReferenceScores& reference, const ModelConfig& model,
                                     const LoraLayout& lora, DType dtype, ObjectiveSize size);

    std::int64_t rows() const override { return data_.rows(); }
    std::string source_line(std::int64_t row) const override { return data_.source_line(row); }
    StepRows cut(std::vector<std::int64_t> rows) const override;
    bool prepare(const StepRows& step, std::int64_t number, Range mine, Comm& comm, View parameters) override;
    void run(const StepRows& step, Range leaves, std::vector<LeafSums>& sums) override;
    View gradients() const override { return batch_.gradients(); }
    std::int64_t first_non_finite_row() const override { return non_finite_row_; }
    double loss(const LeafSums& total) const override;
    NamedMetrics metrics(const LeafSums& total) const override;
    NamedMetrics evaluation_metrics(const LeafSums& total) const override;

    // The reference's scores of rows that it has not scored yet; false where a signal asks to stop. `parameters`: the adapter as it is now;
    // `scored` is told after each micro-batch how many rows are.
    using Scored = std::function<void(std::int64_t rows)>;
    bool score_rows(const std::vector<std::int64_t>& rows, View parameters, const Scored& scored = {});

  private:
    View reference_adapter();
    PromptAnswers item_of(std::int64_t row) const;
    // Forward passes over items, in micro-batches; take(first, count) reads the scores of one. false: a signal asks to stop.
    template <class Take> bool score_items(const std::vector<PromptAnswers>& items, const Take& take);
    bool estimate_kl(const StepRows& step, Range mine, Comm& comm, View parameters);
    bool couple(const StepRows& step, Range mine, Comm& comm);
    void read_scores(const StepRows& step, Range positions);
    void derive_pairs(const StepRows& step, Range positions);
    void derive_answers(const StepRows& step, Range positions);
    LeafSums sums_of(Range items) const;
    std::size_t answers() const { return data_.paired() ? 2 : 1; }

    Decoder& decoder_;
    const PreferenceDataset& data_;
    const Config& config_;
    std::shared_ptr<ReferenceScores> reference_;
    bool training_;
    PreferenceLoss loss_;
    UnpairedLoss unpaired_;
    ObjectiveSize size_;
    AnswerBatch batch_;
    FlatArray reference_adapter_;  // on the device, where the reference is one
    double kl_ = 0.0;
    std::int64_t step_chosen_tokens_ = 0;
    std::vector<double> coupled_loss_, coupled_chosen_, coupled_rejected_;  // of the step's pairs, in their order
    std::int64_t non_finite_row_ = -1;
    // Of the micro-batch: items with their scores and derivatives.
    std::vector<PromptAnswers> items_;
    std::vector<Range> item_leaves_;
    std::vector<double> policy_[2], frozen_[2], d_columns_[2], d_policy_, losses_;
    std::vector<std::int64_t> tokens_[2];
    std::vector<std::uint8_t> labels_;
};

// The rows' answers as the engine takes them.
PromptAnswers prompt_answers(const PreferenceDataset& data, std::int64_t row, bool shared);

}  // namespace temper
