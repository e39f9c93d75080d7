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
    double cost = 0.0;  // as the step has it
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
    // The same in two parts: a device is given the work, and the results of all micro-batches under way but the last `left` are waited for. At most
    // most_ahead() may be under way when another is given: while a device works on one the host lays out the next.
    void submit(const TokenDataset& data, const StepRows& step, Range range, float grad_scale);
    void drain(std::vector<LeafResult>& results, std::size_t left = 0);
    std::size_t most_ahead() const { return sides_.size() - 1; }
    // Computes the last layer for rows without a label too, as a check: the same losses, and gradients up to the rounding of sums that
    // are paired differently. As many labels as tokens must have room then.
    void compute_every_row(bool every) { every_row_ = every; }
    // Dropout of the adapters' inputs in the runs that follow; none in evaluation.
    void set_dropout(double probability, std::uint64_t seed, std::uint64_t step);
    View gradients() const { return d_adapter_; }  // (leaves, P) f32
    // After run() or drain(): the first row whose loss is not finite, as a dataset index; -1 when all are.
    std::int64_t first_non_finite_row() const { return non_finite_row_; }

  private:
    // What the host writes for a micro-batch and reads of it. The device has one place for the numbers of all sides: its work is in order.
    struct Side {
        Staged ids, positions, needed, nll, correct;
        Staged dropout_rows, needed_rows, needed_tokens;  // (tokens), (labels), (labels) i32 where there is dropout
        std::vector<std::int64_t> label_source;           // dataset row of each label
        std::vector<LeafResult> leaves;
        std::uint64_t mark = 0;  // behind the copies of the results
    };
    void cut(StagedArena& arena);
    void cut(StagedArena& arena, Side& side, const Side* first) const;
    void check_room(const TokenDataset& data, const StepRows& step, Range range) const;
    void lay_out(const TokenDataset& data, const StepRows& step, Range range);
    void lay_out_row(const TokenDataset& data, std::int64_t row);
    void make_up();
    void give_rows();
    void thin_dropout(Span<const std::int32_t> rows);
    void pass(float grad_scale);
    View give(const Staged& numbers) const;
    void collect(Side& side, std::vector<LeafResult>& results);
    Side& side() { return sides_[next_]; }

    const Decoder* decoder_;
    ObjectiveSize size_;
    bool training_, every_row_ = false;
    Activations activations_;
    StagedArena arena_;
    std::vector<Side> sides_;
    std::size_t next_ = 0, under_way_ = 0;
    View d_hidden_, d_adapter_;
    TokenBatch batch_;
    std::int64_t tokens_ = 0;  // laid out
    std::vector<std::int32_t> label_rows_, labels_;
    std::int64_t non_finite_row_ = -1;
};

}  // namespace temper
