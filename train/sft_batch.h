// The SFT loss on leaves: forward, loss on the supervised tokens, backward, for one micro-batch at a time.
#pragma once
#include <vector>

#include "kernels/staged.h"
#include "model/decoder.h"
#include "train/dataset.h"
#include "train/objective.h"

namespace temper {

// What one leaf adds to a step. Sums over its tokens, in their order.
struct LeafResult {
    double nll = 0.0;
    std::int64_t labels = 0, correct = 0, tokens = 0;
};

StepRows cut_step(const TokenDataset& data, std::vector<std::int64_t> rows, std::int64_t leaf_tokens, const ModelConfig& model);

class SftBatch {
  public:
    // Keep::nothing is evaluation: losses alone.
    SftBatch(const Decoder& decoder, ObjectiveSize size);
    static std::size_t predict_bytes(const ModelConfig& config, const LoraLayout& lora, DType dtype, ObjectiveSize size);

    // Leaves [range.begin, range.end) of the step. Training leaves their adapter gradients in gradients(), one row a leaf, each the
    // gradient of (sum of nll) * grad_scale. results gets one entry a leaf.
    void run(const TokenDataset& data, const StepRows& step, Range range, float grad_scale, std::vector<LeafResult>& results);
    // Computes the last layer for rows without a label too, as a check: the same losses, and gradients up to the rounding of sums that
    // are paired differently. As many labels as tokens must have room then.
    void compute_every_row(bool every) { every_row_ = every; }
    // Dropout of the adapters' inputs in the runs that follow; none in evaluation.
    void set_dropout(double probability, std::uint64_t seed, std::uint64_t step);
    View gradients() const { return d_adapter_; }  // (leaves, P) f32
    // After run(): the first row whose loss is not finite, as a dataset index; -1 when all are.
    std::int64_t first_non_finite_row() const { return non_finite_row_; }

  private:
    void cut(StagedArena& arena);
    void check_room(const TokenDataset& data, const StepRows& step, Range range) const;
    void lay_out(const TokenDataset& data, const StepRows& step, Range range);
    void thin_dropout();
    View give(const Staged& numbers) const;
    void collect(const StepRows& step, Range range, std::vector<LeafResult>& results);

    const Decoder* decoder_;
    ObjectiveSize size_;
    bool training_, every_row_ = false;
    Activations activations_;
    StagedArena arena_;
    Staged dropout_rows_, needed_rows_, needed_tokens_;  // (tokens), (labels), (labels) i32 where there is dropout
    Staged ids_, positions_, needed_, nll_, correct_;
    View d_hidden_, d_adapter_;
    TokenBatch batch_;
    std::vector<std::int32_t> label_rows_, labels_;
    std::vector<std::int64_t> label_source_;  // dataset row of each label
    std::vector<std::int64_t> leaf_label_end_;
    std::int64_t non_finite_row_ = -1;
};

}  // namespace temper
