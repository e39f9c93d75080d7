#include "train/memory_fit.h"

#include <algorithm>

#include "io/machine.h"
#include "kernels/cuda/runtime.h"

namespace temper {
namespace {

// Micro-batches hold whole leaves: sizes between two multiples of a leaf's make no difference. 0: not even one leaf fits.
std::int64_t largest_micro_batch(Config& config, const TrainingInputs& inputs, const Comm& comm, const Stream& stream, const MemoryRoom& room,
                                 Activations::Keep keep) {
    const std::int64_t leaf = config.train.leaf_tokens, most = config.train.micro_batch_tokens;
    std::int64_t fits = 0, fails = (most - 1) / leaf + 1;  // in leaves
    while (fails - fits > 1) {
        const std::int64_t middle = (fits + fails) / 2;
        config.train.micro_batch_tokens = middle * leaf;
        (room.holds(plan_with(config, inputs, comm, stream, keep)) ? fits : fails) = middle;
    }
    config.train.micro_batch_tokens = most;
    if (fits * leaf < most && room.holds(plan_with(config, inputs, comm, stream, keep))) return most;
    return fits * leaf;
}

}  // namespace

MemoryRoom room_of(const Comm& comm, const Stream& stream) {
    const int ranks = ranks_on_this_host(comm.size());
    MemoryRoom room;
    room.host = available_memory_bytes() / ranks;
    if (stream.device() != Device::cuda) return room;
    const int devices = std::max(1, cuda::device_count()), sharing = (ranks + devices - 1) / devices;
    room.device = static_cast<std::int64_t>(stream.cuda().device().free_bytes) / sharing;  // when the run began
    return room;
}

ObjectiveSize evaluation_size(const TrainingData& data, const TrainingConfig& config, std::int64_t quantum) {
    const std::vector<RowSize> rows = data.sizes();
    std::int64_t all = 0, longest = 0;
    for (const RowSize& row : rows) all += row.tokens, longest = std::max(longest, row.tokens);
    const std::int64_t tokens = std::min(all, std::max(config.micro_batch_tokens, config.leaf_tokens - 1 + longest));
    const ObjectiveSize size{tokens, bound_labels(rows, static_cast<std::int64_t>(rows.size()), tokens), 0, Activations::Keep::nothing, quantum};
    return size.made_up();
}

MemoryPlan plan_with(const Config& config, const TrainingInputs& inputs, const Comm& comm, const Stream& stream, Activations::Keep keep) {
    const ModelConfig& model = inputs.model->config();
    const DataReport& report = inputs.train->report();
    PlanInput input;
    input.device = stream.device();
    input.dtype = inputs.decoder_options.dtype;
    input.keep = keep;
    const std::vector<RowSize> sizes = inputs.train->sizes();
    input.bounds = made_up(bound_steps(sizes, config.train, inputs.lora), inputs.lora, stream);
    input.weights = &inputs.model->weights();
    input.longest = report.preference && config.dpo.prefix_sharing ? report.preference->longest_row : report.longest;
    input.max_positions = config.data.max_length;
    input.library_attention = inputs.decoder_options.library_attention;
    input.threads = stream.threads();
    input.ranks = comm.size();
    input.data_bytes = report.tokens * 5 + (inputs.eval ? inputs.eval->report().tokens * 5 : 0);
    input.tokenizer_entries = inputs.tokenizer->vocabulary_size();
    const auto bytes_of = [&](const TrainingData& data, ObjectiveSize size) { return data.predict_bytes(model, inputs.lora, input.dtype, size); };
    input.objective_bytes = [&](Activations::Keep kept) { return bytes_of(*inputs.train, input.bounds.size(kept)); };
    const std::int64_t passes = inputs.kind == TrainKind::dpo ? 2 : 1;  // the frozen model's rows beside the policy's
    input.forward_tokens = passes * input.bounds.tokens;
    input.forward_labels = input.bounds.labels;
    if (inputs.kind == TrainKind::dpo && config.dpo.precompute_ref_log_probs)
        input.forward_labels = bound_labels(sizes, static_cast<std::int64_t>(sizes.size()), input.bounds.tokens);
    if (inputs.eval) {
        const ObjectiveSize size = evaluation_size(*inputs.eval, config.train, input.bounds.quantum);
        input.evaluation_bytes = static_cast<std::int64_t>(bytes_of(*inputs.eval, size));
        input.forward_tokens = std::max(input.forward_tokens, passes * size.tokens);
        input.forward_labels = std::max(input.forward_labels, size.labels);
    }
    if (inputs.kind == TrainKind::dpo) ++input.forward_labels;  // a completion behind another row's prompt may have its first token predicted, too
    return plan_memory(model, inputs.lora, input);
}

std::string settings_that_fit(Config config, const TrainingInputs& inputs, const Comm& comm, const Stream& stream, const MemoryRoom& room) {
    const auto largest = [&](Activations::Keep keep) { return largest_micro_batch(config, inputs, comm, stream, room, keep); };
    const std::int64_t plain = config.train.gradient_checkpointing == "true" ? 0 : largest(Activations::Keep::all);
    const std::int64_t recomputed = largest(Activations::Keep::inputs);
    if (recomputed == 0)
        return fmt::format(
            "no train.micro_batch_tokens fits, nor does train.gradient_checkpointing: lower data.max_length ({}), train.leaf_tokens ({}) or lora.r, "
            "or "
            "take load_in_4bit, dtype bfloat16 or a smaller model",
            config.data.max_length, config.train.leaf_tokens);
    if (plain == 0) return fmt::format("train.micro_batch_tokens={} train.gradient_checkpointing=true would fit", recomputed);
    return fmt::format("train.micro_batch_tokens={} would fit, or {} with train.gradient_checkpointing=true", plain, recomputed);
}

}  // namespace temper
