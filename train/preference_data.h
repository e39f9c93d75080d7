// Rows of `temper dpo` with the reference that they are compared with.
#pragma once
#include "train/preference_objective.h"

namespace temper {

class PreferenceData : public TrainingData {
  public:
    // starts_from_weights: the frozen weights lack what the adapter starts with, so that the start is the base model.
    PreferenceData(PreferenceDataset data, const Config& config, bool starts_from_weights);
    const DataReport& report() const override { return data_.report(); }
    const std::vector<DataSource>& sources() const override { return data_.sources(); }
    const std::string& template_sha256() const override { return data_.template_sha256(); }
    const std::string& hash() const override { return data_.hash(); }
    std::vector<RowSize> sizes() const override;
    void check_ids(const ModelConfig& model, const std::string& role) const override;
    bool begin(const RunBeginning& run) override;
    std::string reference_identity() const override { return reference_->identity; }
    std::unique_ptr<Objective> make_objective(Decoder& decoder, const Config& config, ObjectiveSize size) const override;
    std::size_t predict_bytes(const ModelConfig& model, const LoraLayout& lora, DType dtype, ObjectiveSize size) const override;

  private:
    std::string decides(const RunBeginning& run) const;
    bool precompute(const RunBeginning& run);
    bool score_stretch(const RunBeginning& run, PreferenceObjective& objective, const std::vector<RowSize>& sizes, Range stretch,
                       const PreferenceObjective::Scored& scored);

    PreferenceDataset data_;
    const Config& config_;
    std::shared_ptr<ReferenceScores> reference_;
};

}  // namespace temper
