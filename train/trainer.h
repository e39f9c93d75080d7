// One optimizer step after another on all ranks: the numbers of a run, free of files and messages.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "io/comm/comm.h"
#include "model/decoder.h"
#include "train/checkpoint.h"
#include "train/config.h"
#include "train/dataset.h"
#include "train/reduction.h"
#include "train/sft_batch.h"

namespace temper {

struct StepOutcome {
    bool stopped = false;  // a rank was asked to stop: the step was dropped, nothing changed
    double loss = 0.0, grad_norm = 0.0, learning_rate = 0.0;
    std::int64_t tokens = 0, labels = 0, correct = 0;
    double flops = 0.0;
};

// Sizes of the largest micro-batch and step that a run can meet; bounds, from the data alone.
struct StepBounds {
    std::int64_t tokens = 0, leaves = 0, step_leaves = 0;
};
StepBounds bound_steps(const TokenDataset& data, const TrainingConfig& config, const LoraLayout& lora);
// Of a training step. A module that is trained whole has a gradient of its own size for every leaf: leaves are taken one by one then.
std::int64_t micro_batch_tokens(const TrainingConfig& config, const LoraLayout& lora);

class Trainer {
  public:
    Trainer(Decoder& decoder, Comm& comm, const TokenDataset& data, const TrainingConfig& config, double peak_learning_rate, bool shuffle,
            StepBounds bounds, Activations::Keep keep);

    // Parameters are set before the first step: all three vectors have lora().parameters entries.
    void set_state(TrainState state);
    TrainState state() const;  // without a cursor
    std::int64_t total_steps() const { return order_.total_steps(); }
    double epoch_after(std::int64_t step) const { return order_.epoch_after(step); }

    // The update number `step` (from 0). Error non_finite (17) names the row or the tensor; nothing was updated then.
    StepOutcome step(std::int64_t step);
    // Mean loss a supervised token and accuracy over a whole data set, shared out over the ranks; same bits on any number of them.
    struct Evaluation {
        double loss = 0.0, accuracy = 0.0;
        std::int64_t tokens = 0, labels = 0;
        bool stopped = false;  // by a signal, before the end: the figures are not set
    };
    Evaluation evaluate(const TokenDataset& data);

  private:
    void update(std::int64_t step, double learning_rate, double clip);
    LeafResult gather(const std::vector<LeafResult>& mine);
    void check_finite(std::int64_t step, const LeafResult& total, std::int64_t bad_row, const TokenDataset& data) const;

    Decoder& decoder_;
    Comm& comm_;
    const TokenDataset& data_;
    TrainingConfig config_;
    double peak_learning_rate_;
    StepOrder order_;
    SftBatch batch_;
    TreeReducer reducer_;
    std::vector<float> parameters_, gradients_, first_moment_, second_moment_;
    std::int64_t steps_done_ = 0;
};

}  // namespace temper
