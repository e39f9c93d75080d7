// What a training run will hold in memory, before it is held.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "io/jsonl.h"
#include "model/decoder.h"
#include "train/trainer.h"

namespace temper {

struct MemoryPlan {
    struct Item {
        std::string name;
        std::int64_t bytes = 0;
        Device place = Device::cpu;  // the host, or a CUDA device beside it
    };
    std::vector<Item> items;
    std::int64_t micro_batch_tokens = 0, micro_batch_leaves = 0;
    std::int64_t scratch_bytes = 0;  // of the stream, one of the items
    std::int64_t total(Device place) const;
    std::int64_t total() const { return total(Device::cpu) + total(Device::cuda); }
};

struct PlanInput {
    Device device = Device::cpu;
    DType dtype = DType::bf16;
    Activations::Keep keep = Activations::Keep::all;
    StepBounds bounds;
    std::int64_t longest = 0;                                       // row, tokens
    std::int64_t forward_tokens = 0, forward_labels = 0;            // of the largest forward pass, evaluations and the frozen model's part included
    std::function<std::size_t(Activations::Keep)> objective_bytes;  // TrainingData::predict_bytes within the bounds
    std::int64_t evaluation_bytes = 0;                              // the same of an evaluation, 0 without one
    std::int64_t max_positions = 0;
    bool library_attention = false;
    std::int64_t threads = 1, ranks = 1;
    const TensorSource* weights = nullptr;  // of the model: which of them stay quantised
    std::int64_t data_bytes = 0;            // token caches mapped
    std::int64_t tokenizer_entries = 0;
};
MemoryPlan plan_memory(const ModelConfig& model, const LoraLayout& lora, const PlanInput& input);
Json to_json(const MemoryPlan& plan);

}  // namespace temper
