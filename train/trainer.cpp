#include "train/trainer.h"

#include <algorithm>
#include <cmath>

#include "kernels/error.h"
#include "model/flops.h"
#include "train/schedule.h"
#include "train/stop_signal.h"

namespace temper {
namespace {

constexpr int results_tag = 21;

View flat(std::vector<float>& values) { return View(values.data(), DType::f32, {static_cast<std::int64_t>(values.size())}); }

StepOrder::Settings order_settings(const TokenDataset& data, const TrainingConfig& config, bool shuffle) {
    return {data.rows(), config.global_batch_size, config.max_steps, config.num_train_epochs, shuffle, static_cast<std::uint64_t>(config.seed)};
}

}  // namespace

std::int64_t micro_batch_tokens(const TrainingConfig& config, const LoraLayout& lora) { return lora.saved.empty() ? config.micro_batch_tokens : 1; }

StepBounds bound_steps(const TokenDataset& data, const TrainingConfig& config, const LoraLayout& lora) {
    std::vector<std::int64_t> lengths;
    for (std::int64_t row = 0; row < data.rows(); ++row) lengths.push_back(data.length(row));
    std::sort(lengths.rbegin(), lengths.rend());
    std::int64_t step_tokens = 0;
    const std::int64_t step_rows = std::min(config.global_batch_size, data.rows());
    for (std::int64_t i = 0; i < step_rows; ++i) step_tokens += lengths[static_cast<std::size_t>(i)];
    StepBounds bounds;
    // A leaf ends with the row that fills it.
    const std::int64_t largest_leaf = config.leaf_tokens - 1 + lengths.front(), limit = micro_batch_tokens(config, lora);
    bounds.tokens = std::min(step_tokens, std::max(limit, largest_leaf));
    // Two leaves go together only where the first, which is full, leaves room.
    bounds.leaves = limit <= config.leaf_tokens ? 1 : std::min(step_rows, bounds.tokens / config.leaf_tokens + 1);
    bounds.step_leaves = std::min(step_rows, step_tokens / config.leaf_tokens + 1);
    return bounds;
}

Trainer::Trainer(Decoder& decoder, Comm& comm, const TokenDataset& data, const TrainingConfig& config, double peak_learning_rate, bool shuffle,
                 StepBounds bounds, Activations::Keep keep)
    : decoder_(decoder),
      comm_(comm),
      data_(data),
      config_(config),
      peak_learning_rate_(peak_learning_rate),
      order_(order_settings(data, config, shuffle)),
      batch_(decoder, bounds.tokens, bounds.leaves, keep),
      reducer_(decoder.stream(), decoder.lora().parameters),
      gradients_(static_cast<std::size_t>(decoder.lora().parameters)) {}

void Trainer::set_state(TrainState state) {
    parameters_ = std::move(state.parameters);
    first_moment_ = std::move(state.first_moment);
    second_moment_ = std::move(state.second_moment);
    steps_done_ = state.step;
    decoder_.refresh_adapter(flat(parameters_));
}

TrainState Trainer::state() const {
    TrainState state;
    state.step = steps_done_;
    state.parameters = parameters_;
    state.first_moment = first_moment_;
    state.second_moment = second_moment_;
    return state;
}

StepOutcome Trainer::step(std::int64_t step) {
    StepOutcome outcome;
    const StepRows rows = cut_step(data_, order_.rows_of(step), config_.leaf_tokens, decoder_.config());
    const Range mine = share_leaves(rows.leaf_costs, comm_.size())[static_cast<std::size_t>(comm_.rank())];
    const float grad_scale = static_cast<float>(1.0 / static_cast<double>(rows.labels));
    std::vector<LeafResult> results;
    std::int64_t bad_row = -1;
    reducer_.start();
    batch_.set_dropout(decoder_.lora().settings.dropout, static_cast<std::uint64_t>(config_.seed), static_cast<std::uint64_t>(step));
    for (const Range& leaves : cut_micro_batches(mine, rows.leaf_tokens, micro_batch_tokens(config_, decoder_.lora()))) {
        if (stop_requested() != 0) break;
        batch_.run(data_, rows, leaves, grad_scale, results);
        if (bad_row < 0) bad_row = batch_.first_non_finite_row();
        for (std::int64_t leaf = leaves.begin; leaf < leaves.end; ++leaf) {
            const View row = batch_.gradients().rows(leaf - leaves.begin, 1);
            reducer_.push(leaf, View(row.data, DType::f32, {row.size(1)}));
        }
    }
    outcome.stopped = comm_.all_max(stop_requested() != 0 ? 1 : 0) != 0;
    if (outcome.stopped) return outcome;

    const LeafResult total = gather(results);
    check_finite(step, total, bad_row, data_);
    reducer_.finish(comm_, flat(gradients_));
    Stream& stream = decoder_.stream();
    outcome.grad_norm = ops::global_norm(stream, flat(gradients_));
    if (!std::isfinite(outcome.grad_norm)) {
        const std::int64_t index = ops::first_non_finite(stream, flat(gradients_));
        throw_error(ExitCode::non_finite, "step {}: the gradient of {} is not finite; the adapter was not updated. Rows of the step begin at {}",
                    step + 1, decoder_.lora().describe(index), data_.source_line(rows.rows.front()));
    }
    outcome.learning_rate = learning_rate_at(config_, peak_learning_rate_, step, order_.total_steps());
    // torch.nn.utils.clip_grad_norm_: always multiplied, by at most 1.
    const double clip = config_.max_grad_norm > 0 ? std::min(1.0, config_.max_grad_norm / (outcome.grad_norm + 1e-6)) : 1.0;
    update(step, outcome.learning_rate, clip);
    decoder_.refresh_adapter(flat(parameters_));
    steps_done_ = step + 1;

    outcome.loss = total.nll / static_cast<double>(total.labels);
    outcome.tokens = total.tokens;
    outcome.labels = total.labels;
    outcome.correct = total.correct;
    for (const double cost : rows.leaf_costs) outcome.flops += cost;
    outcome.flops += adapter_flops(decoder_.lora().adapter_parameters(), total.tokens);
    if (decoder_.lora().saved_head() != nullptr)
        outcome.flops += 2.0 * static_cast<double>(decoder_.config().head_parameters()) * static_cast<double>(total.labels);
    return outcome;
}

void Trainer::update(std::int64_t step, double learning_rate, double clip) {
    const ops::AdamW adamw{learning_rate, config_.adam_beta1, config_.adam_beta2, config_.adam_epsilon, config_.weight_decay, step + 1};
    const auto update_range = [&](std::int64_t begin, std::int64_t count, const ops::AdamW& numbers) {
        const auto part = [&](std::vector<float>& values) { return View(values.data() + begin, DType::f32, {count}); };
        ops::adamw(decoder_.stream(), part(parameters_), part(gradients_), part(first_moment_), part(second_moment_), static_cast<float>(clip),
                   numbers);
    };
    if (!config_.loraplus_lr_ratio) return update_range(0, static_cast<std::int64_t>(parameters_.size()), adamw);
    // LoRA+: B, and vectors, learn faster than A.                                                        [Hayou et al. 2024]
    ops::AdamW faster = adamw;
    faster.learning_rate *= *config_.loraplus_lr_ratio;
    for (const LoraModule& module : decoder_.lora().modules) {
        update_range(module.offset_a, module.rank * module.in, adamw);
        update_range(module.offset_b, module.out * module.rank, faster);
        if (module.offset_m >= 0) update_range(module.offset_m, module.out, faster);
    }
    for (const SavedModule& module : decoder_.lora().saved) update_range(module.offset, module.elements(), adamw);
}

// Sums over all leaves in their order: ranks hold consecutive ranges, so the order of ranks is the order of leaves.
LeafResult Trainer::gather(const std::vector<LeafResult>& mine) {
    LeafResult total;
    const auto add = [&](const LeafResult& leaf) {
        total.nll += leaf.nll;
        total.labels += leaf.labels;
        total.correct += leaf.correct;
        total.tokens += leaf.tokens;
    };
    if (comm_.rank() != 0) {
        const auto count = static_cast<std::int64_t>(mine.size());
        comm_.send(&count, sizeof count, 0, results_tag);
        if (count > 0) comm_.send(mine.data(), mine.size() * sizeof(LeafResult), 0, results_tag);
    } else {
        for (const LeafResult& leaf : mine) add(leaf);
        for (int rank = 1; rank < comm_.size(); ++rank) {
            std::int64_t count = 0;
            comm_.receive(&count, sizeof count, rank, results_tag);
            std::vector<LeafResult> theirs(static_cast<std::size_t>(count));
            if (count > 0) comm_.receive(theirs.data(), theirs.size() * sizeof(LeafResult), rank, results_tag);
            for (const LeafResult& leaf : theirs) add(leaf);
        }
    }
    comm_.broadcast(&total, sizeof total, 0);
    return total;
}

void Trainer::check_finite(std::int64_t step, const LeafResult& total, std::int64_t bad_row, const TokenDataset& data) const {
    if (std::isfinite(total.nll)) return;
    const std::int64_t row = comm_.all_max(bad_row);
    throw_error(ExitCode::non_finite, "step {}: the loss of row {} is not finite; the adapter was not updated", step + 1,
                row >= 0 ? data.source_line(row) : std::string("(unknown)"));
}

Trainer::Evaluation Trainer::evaluate(const TokenDataset& data) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(data.rows()));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
    const StepRows rows = cut_step(data, std::move(all), config_.leaf_tokens, decoder_.config());
    const Range mine = share_leaves(rows.leaf_costs, comm_.size())[static_cast<std::size_t>(comm_.rank())];
    std::int64_t largest = config_.micro_batch_tokens;
    for (const std::int64_t tokens : rows.leaf_tokens) largest = std::max(largest, tokens);
    SftBatch batch(decoder_, std::min(largest, rows.tokens), 0, Activations::Keep::nothing);
    std::vector<LeafResult> results;
    std::int64_t bad_row = -1;
    for (const Range& leaves : cut_micro_batches(mine, rows.leaf_tokens, config_.micro_batch_tokens)) {
        if (stop_requested() != 0) break;
        batch.run(data, rows, leaves, 1.0f, results);
        if (bad_row < 0) bad_row = batch.first_non_finite_row();
    }
    Evaluation evaluation;
    evaluation.stopped = comm_.all_max(stop_requested() != 0 ? 1 : 0) != 0;
    if (evaluation.stopped) return evaluation;
    const LeafResult total = gather(results);
    check_finite(steps_done_ - 1, total, bad_row, data);
    evaluation.labels = total.labels;
    evaluation.tokens = total.tokens;
    evaluation.loss = total.nll / static_cast<double>(total.labels);
    evaluation.accuracy = static_cast<double>(total.correct) / static_cast<double>(total.labels);
    return evaluation;
}

}  // namespace temper
