#include "train/memory_plan.h"

#include <algorithm>

#include "kernels/cuda/runtime.h"
#include "model/lora_start.h"
#include "train/reduction.h"

namespace temper {
namespace {

// Measured on the release build: code and libraries of one process, and what MPI adds when there are several ranks.
constexpr std::int64_t process_bytes = 32 << 20, mpi_bytes = 24 << 20;
// A tokenizer's tables an entry of its vocabulary (strings, hash slots, merges).
constexpr std::int64_t tokenizer_entry_bytes = 420;

}  // namespace

std::int64_t MemoryPlan::total(Device place) const {
    std::int64_t sum = 0;
    for (const Item& item : items) sum += item.place == place ? item.bytes : 0;
    return sum;
}

MemoryPlan plan_memory(const ModelConfig& model, const LoraLayout& lora, const PlanInput& input) {
    MemoryPlan plan;
    const StepBounds& bounds = input.bounds;
    plan.micro_batch_tokens = bounds.tokens;
    plan.micro_batch_leaves = bounds.leaves;
    const std::int64_t vector_bytes = lora.parameters * static_cast<std::int64_t>(sizeof(float));
    const Decoder::Options options{input.dtype, true, input.max_positions};
    const auto add = [&](const char* name, std::int64_t bytes) { plan.items.push_back({name, bytes, input.device}); };
    const auto add_on_host = [&](const char* name, std::int64_t bytes) { plan.items.push_back({name, bytes, Device::cpu}); };
    add("frozen weights", static_cast<std::int64_t>(Decoder::predict_bytes(input.device, model, lora, options, input.weights)));
    const std::int64_t gradients = bounds.leaves * vector_bytes;
    add("activations", static_cast<std::int64_t>(input.objective_bytes(input.keep)) - gradients);
    add("adapter gradients by leaf", gradients + TreeReducer::predict_buffers(bounds.step_leaves, input.ranks) * vector_bytes);
    add("adapter, gradient, moments", 4 * vector_bytes);
    if (starts_from_weights(lora.settings)) add_on_host("start of the adapter", 3 * vector_bytes);  // and the difference to it, once at the end
    const std::int64_t checkpoint = 6 * vector_bytes;  // its file in memory, twice while HDF5 hands it over
    // In one memory, one after the other.
    const bool apart = input.device != Device::cpu;
    if (input.evaluation_bytes > (apart ? 0 : checkpoint)) add("evaluation buffers", input.evaluation_bytes);
    if (apart || input.evaluation_bytes <= checkpoint) add_on_host("checkpoint being written", checkpoint);
    const std::int64_t tokens = apart ? std::max(bounds.tokens, input.forward_tokens) : bounds.tokens, labels = apart ? input.forward_labels : tokens;
    plan.scratch_bytes = static_cast<std::int64_t>(Decoder::predict_scratch(input.device, model, lora, input.dtype, tokens, labels, input.longest,
                                                                            static_cast<int>(input.threads), input.weights));
    if (apart && input.library_attention) plan.scratch_bytes = std::max(plan.scratch_bytes, std::int64_t{AttentionRule::library_scratch});
    add("kernel scratch", plan.scratch_bytes);
    if (apart) {
        const cuda::MemoryUse context = cuda::Context::held();
        add("tables, matrix products", static_cast<std::int64_t>(context.device));
        // What is copied from and to the device: tables, ids and losses of a micro-batch, the state for a checkpoint, a sum between ranks.
        add_on_host("pinned buffers", static_cast<std::int64_t>(context.pinned) + 40 * bounds.tokens + (input.ranks > 1 ? 4 : 3) * vector_bytes);
    }
    add_on_host("data and tokenizer", input.data_bytes + input.tokenizer_entries * tokenizer_entry_bytes);
    add_on_host("program", process_bytes + (input.ranks > 1 ? mpi_bytes : 0));
    if (starts_from_weights(lora.settings)) {
        // Weights are factored before any is loaded to stay: what that takes beyond all that comes later.
        const std::int64_t beyond = 3 * vector_bytes + start_bytes(lora, static_cast<int>(input.threads)) - plan.total(Device::cpu);
        if (beyond > 0) add_on_host("factoring weights", beyond);
    }
    return plan;
}

Json to_json(const MemoryPlan& plan) {
    Json json;
    for (const MemoryPlan::Item& item : plan.items) json["items"][item.name] = item.bytes;
    json["total_bytes"] = plan.total();
    if (const std::int64_t device = plan.total(Device::cuda); device > 0) json["device_bytes"] = device;
    json["micro_batch_tokens"] = plan.micro_batch_tokens;
    return json;
}

}  // namespace temper
