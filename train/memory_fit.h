// The memory plan of a run against what there is, and the settings that would fit where it does not. Internal to train/.
#pragma once
#include <string>

#include "train/training_setup.h"

namespace temper {

// Bytes that one rank may take: of the host shared out over its ranks, of its device over those that compute on it.
struct MemoryRoom {
    std::int64_t host = 0, device = 0;
    bool holds(const MemoryPlan& plan) const { return plan.total(Device::cpu) <= host && plan.total(Device::cuda) <= device; }
};
MemoryRoom room_of(const Comm& comm, const Stream& stream);

// With config's train.micro_batch_tokens, whatever inputs were planned with.
MemoryPlan plan_with(const Config& config, const TrainingInputs& inputs, const Comm& comm, const Stream& stream, Activations::Keep keep);
// Where config's plan does not fit: the largest train.micro_batch_tokens that does, with and without train.gradient_checkpointing, or that none does.
std::string settings_that_fit(Config config, const TrainingInputs& inputs, const Comm& comm, const Stream& stream, const MemoryRoom& room);
// Of the largest micro-batch of an evaluation, made up to multiples of quantum.
ObjectiveSize evaluation_size(const TrainingData& data, const TrainingConfig& config, std::int64_t quantum);

}  // namespace temper
