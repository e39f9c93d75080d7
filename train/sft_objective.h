// Supervised fine-tuning: the mean loss of a step's supervised tokens.
#pragma once
#include "train/sft_batch.h"
#include "train/training_data.h"

namespace temper {

class SftObjective : public Objective {
  public:
    // All must outlive it.
    SftObjective(const Decoder& decoder, const TokenDataset& data, const TrainingConfig& config, ObjectiveSize size);

    std::int64_t rows() const override { return data_.rows(); }
    std::string source_line(std::int64_t row) const override { return data_.source_line(row); }
    StepRows cut(std::vector<std::int64_t> rows) const override;
    bool prepare(const StepRows& step, std::int64_t number, Range mine, Comm& comm, View parameters) override;
    void run(const StepRows& step, Range leaves, std::vector<LeafSums>& sums) override;
    void drain(std::vector<LeafSums>& sums) override;
    View gradients() const override { return batch_.gradients(); }
    std::int64_t first_non_finite_row() const override { return batch_.first_non_finite_row(); }
    double loss(const LeafSums& total) const override;
    NamedMetrics metrics(const LeafSums& total) const override;

  private:
    void add(std::vector<LeafSums>& sums);
    const Decoder& decoder_;
    const TokenDataset& data_;
    const TrainingConfig& config_;
    SftBatch batch_;
    std::vector<LeafResult> results_;
};

// Rows of `temper sft`.
class SftData : public TrainingData {
  public:
    explicit SftData(TokenDataset data) : data_(std::move(data)) {}
    const DataReport& report() const override { return data_.report(); }
    const std::vector<DataSource>& sources() const override { return data_.sources(); }
    const std::string& template_sha256() const override { return data_.template_sha256(); }
    const std::string& hash() const override { return data_.hash(); }
    std::vector<RowSize> sizes() const override { return sizes_of(data_); }
    void check_ids(const ModelConfig& model, const std::string& role) const override;
    std::unique_ptr<Objective> make_objective(Decoder& decoder, const Config& config, ObjectiveSize size) const override;
    std::size_t predict_bytes(const ModelConfig& model, const LoraLayout& lora, DType dtype, ObjectiveSize size) const override;

  private:
    TokenDataset data_;
};

}  // namespace temper
