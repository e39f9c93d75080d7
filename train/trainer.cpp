#include "train/trainer.h"

#include <algorithm>
#include <cmath>

#include "io/progress.h"
#include "kernels/error.h"
#include "model/flops.h"
#include "runs/stop_signal.h"
#include "train/gather.h"
#include "train/schedule.h"

namespace temper {
namespace {

// The host's copy is given up: it weighs as much.
void take_over(Stream& stream, FlatArray& array, std::vector<float>& values) {
    array.set(stream, Span<const float>(values));
    values = {};
}

std::int64_t rows_in(const StepRows& step, Range leaves) {
    return leaves.size() == 0 ? 0
                              : step.leaves[static_cast<std::size_t>(leaves.end - 1)].end - step.leaves[static_cast<std::size_t>(leaves.begin)].begin;
}

StepOrder::Settings order_settings(std::int64_t rows, const TrainingConfig& config, bool shuffle) {
    return {rows, config.global_batch_size, config.max_steps, config.num_train_epochs, shuffle, static_cast<std::uint64_t>(config.seed)};
}

}  // namespace

std::int64_t micro_batch_tokens(const TrainingConfig& config, const LoraLayout& lora) { return lora.saved.empty() ? config.micro_batch_tokens : 1; }

StepBounds bound_steps(const std::vector<RowSize>& rows, const TrainingConfig& config, const LoraLayout& lora) {
    std::vector<std::int64_t> lengths;
    for (const RowSize& row : rows) lengths.push_back(row.tokens);
    std::sort(lengths.rbegin(), lengths.rend());
    std::int64_t step_tokens = 0;
    const std::int64_t step_rows = std::min(config.global_batch_size, static_cast<std::int64_t>(lengths.size()));
    for (std::int64_t i = 0; i < step_rows; ++i) step_tokens += lengths[static_cast<std::size_t>(i)];
    StepBounds bounds;
    // A leaf ends with the row that fills it.
    const std::int64_t largest_leaf = config.leaf_tokens - 1 + lengths.front(), limit = micro_batch_tokens(config, lora);
    bounds.tokens = std::min(step_tokens, std::max(limit, largest_leaf));
    bounds.labels = bound_labels(rows, step_rows, bounds.tokens);
    // All leaves but the last are full: of tokens, and so of as many of the longest rows as that takes.
    const std::int64_t rows_to_fill = (config.leaf_tokens - 1) / std::max<std::int64_t>(lengths.front(), 1) + 1;
    const std::int64_t leaves_of_rows = (step_rows + rows_to_fill - 1) / rows_to_fill;
    // Two leaves go together only where the first leaves room.
    bounds.leaves = limit <= config.leaf_tokens ? 1 : std::min(leaves_of_rows, bounds.tokens / config.leaf_tokens + 1);
    bounds.step_leaves = std::min(leaves_of_rows, step_tokens / config.leaf_tokens + 1);
    return bounds;
}

// A gradient of the whole embedding or head sums over all rows, of nobody as well: with one nothing is made up.
StepBounds made_up(StepBounds bounds, const LoraLayout& lora, const Stream& stream) {
    constexpr std::int64_t kLeast = 16, kMost = 512, kPart = 32;
    if (!stream.keeps_graphs() || !lora.saved.empty()) return bounds;
    bounds.quantum = kLeast;
    while (bounds.quantum < kMost && 2 * bounds.quantum * kPart <= bounds.tokens) bounds.quantum *= 2;
    const ObjectiveSize size = bounds.size(Activations::Keep::all).made_up();
    bounds.tokens = size.tokens;
    bounds.labels = size.labels;
    return bounds;
}

Trainer::Trainer(Decoder& decoder, Comm& comm, Objective& objective, const TrainingConfig& config, double peak_learning_rate, bool shuffle)
    : decoder_(decoder),
      comm_(comm),
      objective_(objective),
      config_(config),
      peak_learning_rate_(peak_learning_rate),
      order_(order_settings(objective.rows(), config, shuffle)),
      reducer_(decoder.stream(), decoder.lora().parameters),
      exchange_(staged_exchange(comm, decoder.stream(), decoder.lora().parameters)),
      parameters_(decoder.stream(), decoder.lora().parameters),
      gradients_(decoder.stream(), decoder.lora().parameters),
      first_moment_(decoder.stream(), decoder.lora().parameters),
      second_moment_(decoder.stream(), decoder.lora().parameters) {}

void Trainer::set_state(TrainState state) {
    Stream& stream = decoder_.stream();
    take_over(stream, parameters_, state.parameters);
    take_over(stream, first_moment_, state.first_moment);
    take_over(stream, second_moment_, state.second_moment);
    steps_done_ = state.step;
    decoder_.refresh_adapter(parameters_.view());
}

TrainState Trainer::state() const {
    TrainState state;
    state.step = steps_done_;
    Stream& stream = decoder_.stream();
    state.parameters = parameters_.values(stream);
    state.first_moment = first_moment_.values(stream);
    state.second_moment = second_moment_.values(stream);
    return state;
}

void Trainer::copy_state(View to) const {
    std::int64_t row = 0;
    for (const FlatArray* values : {&parameters_, &first_moment_, &second_moment_})
        fetch(decoder_.stream(), {to.rows(row++, 1).reshape({to.size(1)}), values->view()});
    decoder_.stream().synchronize();
}

bool Trainer::run_leaves(Objective& objective, const StepRows& rows, std::int64_t number, std::int64_t micro_tokens, bool training, LeafSums& total,
                         std::int64_t& bad_row, const Passed& passed) {
    const double begin = Progress::steady_seconds();
    const Range mine = share_leaves(rows.leaf_costs, comm_.size())[static_cast<std::size_t>(comm_.rank())];
    std::vector<LeafSums> sums;
    std::int64_t done = 0, tokens = 0;
    bad_row = -1;
    if (passed) passed(0, rows_in(rows, mine), 0);
    bool stop = !objective.prepare(rows, number, mine, comm_, parameters_.view());
    for (const Range& leaves : cut_micro_batches(mine, rows.leaf_tokens, micro_tokens)) {
        stop = stop || stop_requested() != 0;
        if (stop) break;
        objective.run(rows, leaves, sums);
        if (bad_row < 0) bad_row = objective.first_non_finite_row();
        for (std::int64_t leaf = leaves.begin; training && leaf < leaves.end; ++leaf) {
            const View row = objective.gradients().rows(leaf - leaves.begin, 1);
            reducer_.push(leaf, row.flat(0, {row.size(1)}));
        }
        for (std::int64_t leaf = leaves.begin; passed && leaf < leaves.end; ++leaf) {
            done += rows.leaves[static_cast<std::size_t>(leaf)].size();
            tokens += rows.leaf_tokens[static_cast<std::size_t>(leaf)];
        }
        if (passed) passed(done, rows_in(rows, mine), tokens);
    }
    objective.drain(sums);
    if (bad_row < 0) bad_row = objective.first_non_finite_row();
    comm_.set_patience(Progress::steady_seconds() - begin);  // of the same work others may be slower
    if (comm_.all_max(stop || stop_requested() != 0 ? 1 : 0) != 0) return false;
    total = gather(std::move(sums));
    return true;
}

StepOutcome Trainer::step(std::int64_t step) {
    StepOutcome outcome;
    const StepRows rows = objective_.cut(order_.rows_of(step));
    reducer_.start();
    std::int64_t bad_row = -1;
    outcome.stopped = !run_leaves(objective_, rows, step, micro_batch_tokens(config_, decoder_.lora()), true, outcome.sums, bad_row);
    if (outcome.stopped) return outcome;
    outcome.loss = objective_.loss(outcome.sums);
    check_finite(fmt::format("step {}", step + 1), outcome.loss, bad_row, objective_, "; the adapter was not updated");
    reducer_.finish(comm_, *exchange_, gradients_);
    Stream& stream = decoder_.stream();
    outcome.grad_norm = ops::global_norm(stream, gradients_.view());
    if (!std::isfinite(outcome.grad_norm)) {
        const std::int64_t index = ops::first_non_finite(stream, gradients_.view());
        throw_error(ExitCode::non_finite, "step {}: the gradient of {} is not finite; the adapter was not updated. Rows of the step begin at {}",
                    step + 1, decoder_.lora().describe(index), objective_.source_line(rows.rows.front()));
    }
    outcome.learning_rate = learning_rate_at(config_, peak_learning_rate_, step, order_.total_steps());
    // torch.nn.utils.clip_grad_norm_: always multiplied, by at most 1.
    const double clip = config_.max_grad_norm > 0 ? std::min(1.0, config_.max_grad_norm / (outcome.grad_norm + 1e-6)) : 1.0;
    stream.run_recorded([&] {
        update(step, outcome.learning_rate, clip);
        decoder_.refresh_adapter(parameters_.view());
    });
    steps_done_ = step + 1;

    outcome.tokens = rows.tokens;
    std::int64_t computed = 0;
    for (const std::int64_t tokens : rows.leaf_tokens) computed += tokens;
    outcome.flops = outcome.sums.flops + adapter_flops(decoder_.lora().adapter_parameters(), computed);
    if (decoder_.lora().saved_head() != nullptr)
        outcome.flops += 2.0 * static_cast<double>(decoder_.config().head_parameters()) * static_cast<double>(rows.labels);
    return outcome;
}

void Trainer::update(std::int64_t step, double learning_rate, double clip) {
    const ops::AdamW adamw{learning_rate, config_.adam_beta1, config_.adam_beta2, config_.adam_epsilon, config_.weight_decay, step + 1};
    const auto update_range = [&](std::int64_t begin, std::int64_t count, const ops::AdamW& numbers) {
        const auto part = [&](const FlatArray& values) { return values.view().rows(begin, count); };
        ops::adamw(decoder_.stream(), part(parameters_), part(gradients_), part(first_moment_), part(second_moment_), static_cast<float>(clip),
                   numbers);
    };
    if (!config_.loraplus_lr_ratio) return update_range(0, parameters_.size(), adamw);
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

// Sums over all leaves in their order.
LeafSums Trainer::gather(std::vector<LeafSums> mine) {
    LeafSums total;
    for (const LeafSums& leaf : gather_in_order(comm_, std::move(mine))) total += leaf;
    return total;
}

void Trainer::check_parameters() const {
    const std::int64_t index = ops::first_non_finite(decoder_.stream(), parameters_.view());
    if (index >= 0)
        throw_error(ExitCode::non_finite,
                    "the update of step {} made {} not finite; it was not saved. Lower train.learning_rate, or raise train.adam_epsilon", steps_done_,
                    decoder_.lora().describe(index));
}

void Trainer::check_finite(const std::string& when, double loss, std::int64_t bad_row, const Objective& objective, const char* outcome) const {
    if (std::isfinite(loss)) return;
    const std::int64_t row = comm_.all_max(bad_row);
    throw_error(ExitCode::non_finite, "{}: the loss of row {} is not finite{}", when,
                row >= 0 ? objective.source_line(row) : std::string("(unknown)"), outcome);
}

Trainer::Evaluation Trainer::evaluate(Objective& objective, const Passed& passed) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(objective.rows()));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
    const StepRows rows = objective.cut(std::move(all));
    Evaluation evaluation;
    std::int64_t bad_row = -1;
    evaluation.stopped = !run_leaves(objective, rows, steps_done_, config_.micro_batch_tokens, false, evaluation.sums, bad_row, passed);
    if (evaluation.stopped) return evaluation;
    evaluation.loss = objective.loss(evaluation.sums);
    check_finite(fmt::format("the evaluation after step {}", steps_done_), evaluation.loss, bad_row, objective, "");
    return evaluation;
}

}  // namespace temper
