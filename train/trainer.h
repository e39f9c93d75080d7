// One optimizer step after another on all ranks: the numbers of a run, free of files and messages.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/comm/comm.h"
#include "kernels/staged.h"
#include "model/decoder.h"
#include "train/checkpoint.h"
#include "train/config.h"
#include "train/objective.h"
#include "train/reduction.h"

namespace temper {

struct StepOutcome {
    bool stopped = false;  // a rank was asked to stop: the step was dropped, nothing changed
    double loss = 0.0, grad_norm = 0.0, learning_rate = 0.0;
    LeafSums sums;
    std::int64_t tokens = 0;
    double flops = 0.0;
};

// Sizes of the largest micro-batch and step that a run can meet; bounds, from the data alone.
struct StepBounds {
    std::int64_t tokens = 0, labels = 0, leaves = 0, step_leaves = 0;
    std::int64_t quantum = 1;  // ObjectiveSize
    ObjectiveSize size(Activations::Keep keep) const { return {tokens, labels, leaves, keep, quantum}; }
};
StepBounds bound_steps(const std::vector<RowSize>& rows, const TrainingConfig& config, const LoraLayout& lora);
// The bounds of micro-batches that are made up to few shapes, on a device that keeps graphs: by a thirty-second of the largest.
StepBounds made_up(StepBounds bounds, const LoraLayout& lora, const Stream& stream);
// Of a training step. A module that is trained whole has a gradient of its own size for every leaf: leaves are taken one by one then.
std::int64_t micro_batch_tokens(const TrainingConfig& config, const LoraLayout& lora);

class Trainer {
  public:
    // Everything must outlive it.
    Trainer(Decoder& decoder, Comm& comm, Objective& objective, const TrainingConfig& config, double peak_learning_rate, bool shuffle);

    // Parameters are set before the first step: all three vectors have lora().parameters entries.
    void set_state(TrainState state);
    // How gradients go between ranks, in place of host memory; changes no bit.
    void set_exchange(std::unique_ptr<VectorExchange> exchange) { exchange_ = std::move(exchange); }
    // Takes all the memory that a step of so many leaves may need.
    void reserve(std::int64_t step_leaves) { reducer_.reserve(step_leaves, comm_.size()); }
    TrainState state() const;                               // without a cursor
    void copy_state(View to /*(3, P) f32, pinned*/) const;  // of a device: parameters, first and second moment
    void check_parameters() const;                          // Error non_finite (17) that names the tensor
    std::int64_t steps_done() const { return steps_done_; }
    std::int64_t parameters() const { return parameters_.size(); }
    Stream& stream() const { return decoder_.stream(); }
    std::vector<float> gradients() const { return gradients_.values(decoder_.stream()); }  // of the last step, before clipping
    std::int64_t total_steps() const { return order_.total_steps(); }
    double epoch_after(std::int64_t step) const { return order_.epoch_after(step); }

    // The update number `step` (from 0). Error non_finite (17) names the row or the tensor; nothing was updated then.
    StepOutcome step(std::int64_t step);
    // Loss and sums over a whole data set, shared out over the ranks; same bits on any number of them.
    struct Evaluation {
        double loss = 0.0;
        LeafSums sums;
        bool stopped = false;  // by a signal, before the end: the figures are not set
    };
    // Told at the beginning and after each micro-batch: rows of this rank that are done, of how many, and their tokens.
    using Passed = std::function<void(std::int64_t rows, std::int64_t of, std::int64_t tokens)>;
    Evaluation evaluate(Objective& objective, const Passed& passed = {});

  private:
    // What the leaves of this rank add, all of them run; false where a signal asks some rank to stop.
    bool run_leaves(Objective& objective, const StepRows& rows, std::int64_t number, std::int64_t micro_tokens, bool training, LeafSums& total,
                    std::int64_t& bad_row, const Passed& passed = {});
    void update(std::int64_t step, double learning_rate, double clip);
    LeafSums gather(std::vector<LeafSums> mine);
    void check_finite(const std::string& when, double loss, std::int64_t bad_row, const Objective& objective, const char* outcome) const;

    Decoder& decoder_;
    Comm& comm_;
    Objective& objective_;
    TrainingConfig config_;
    double peak_learning_rate_;
    StepOrder order_;
    TreeReducer reducer_;
    std::unique_ptr<VectorExchange> exchange_;
    FlatArray parameters_, gradients_, first_moment_, second_moment_;
    std::int64_t steps_done_ = 0;
};

}  // namespace temper
