#include "train/preference_objective.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/flops.h"
#include "runs/stop_signal.h"
#include "train/gather.h"
#include "train/row_checks.h"

namespace temper {
namespace {

// Places in LeafSums.
enum : std::size_t {
    loss_sum,
    pairs,  // desirable of labelled answers
    accurate,
    chosen_tokens,
    chosen_rewards,
    rejected_rewards,
    margins,
    chosen_logps,
    rejected_logps,
    chosen_nll,
    log_odds,
    log_odds_ratio,
    correct,
    undesirable,
    kl_sum,  // of the step's estimate, once a row
};

Range positions_of(const StepRows& step, Range leaves) {
    if (leaves.size() == 0) return {0, 0};
    return {step.leaves[static_cast<std::size_t>(leaves.begin)].begin, step.leaves[static_cast<std::size_t>(leaves.end - 1)].end};
}

bool compares_frozen(const ReferenceScores& reference, const DpoConfig& config) {
    if (reference.kind != ReferenceKind::frozen) return false;
    const bool kl = is_unpaired(config) && make_unpaired_loss(config).needs_kl;  // of completions that no row has
    bool unknown = false;
    for (std::size_t row = 0; row < reference.values.size() / 2; ++row) unknown = unknown || !reference.known(static_cast<std::int64_t>(row));
    return kl || unknown;
}

// Every step takes the adapter of the reference in turn, unless all that it scores is known beforehand.
bool scores_by_adapter(const ReferenceScores& reference, const DpoConfig& config) {
    return reference.kind == ReferenceKind::adapter && (is_unpaired(config) || !config.precompute_ref_log_probs);
}

// Forward and backward of the answers, and the forward pass of the frozen model.
double row_flops(const ModelConfig& model, const PromptAnswers& item, bool frozen) {
    const auto tokens = static_cast<double>(item.tokens());
    double labels = 0.0, attention = 0.0;
    const auto before = std::max<std::int64_t>(0, static_cast<std::int64_t>(item.prompt.size()) - 1);
    for (int answer = 0; answer < item.count; ++answer) {
        labels += static_cast<double>(item.labels(answer));
        attention += attention_flops(model, before + item.labels(answer)) - (item.shared ? attention_flops(model, before) : 0.0);
    }
    if (item.shared) attention += attention_flops(model, before);
    const double linear = static_cast<double>(model.body_parameters()) * tokens + static_cast<double>(model.head_parameters()) * labels;
    return 4.0 * linear + 3.5 * attention + (frozen ? 2.0 * linear + attention : 0.0);
}

// Room for any one mismatched completion, which may reach beyond the longest row.
ObjectiveSize with_mismatches(ObjectiveSize size, const PreferenceDataset& data, const Config& config) {
    if (data.paired() || !make_unpaired_loss(config.dpo).needs_kl) return size;
    std::size_t prompt = 0, completion = 0;
    for (std::int64_t row = 0; row < data.rows(); ++row) {
        prompt = std::max(prompt, data.prompt(row).size());
        completion = std::max(completion, data.completion(row).size());
    }
    size.tokens = std::max(size.tokens, std::min(config.data.max_length, static_cast<std::int64_t>(prompt + completion)));
    size.labels = std::max(size.labels, static_cast<std::int64_t>(completion));
    return size.made_up();
}

}  // namespace

PromptAnswers prompt_answers(const PreferenceDataset& data, std::int64_t row, bool shared) {
    PromptAnswers item;
    item.prompt = data.prompt(row);
    item.answers[0] = data.chosen(row);
    item.count = data.paired() ? 2 : 1;
    if (data.paired()) item.answers[1] = data.rejected(row);
    item.shared = shared;
    return item;
}

PreferenceObjective::PreferenceObjective(Decoder& decoder, const PreferenceDataset& data, const Config& config,
                                         std::shared_ptr<ReferenceScores> reference, ObjectiveSize size)
    : decoder_(decoder),
      data_(data),
      config_(config),
      reference_(std::move(reference)),
      training_(size.keep != Activations::Keep::nothing),
      size_(with_mismatches(size, data, config)),
      batch_(decoder, size_, compares_frozen(*reference_, config.dpo)) {
    if (data.paired()) loss_ = make_preference_loss(config.dpo);
    else unpaired_ = make_unpaired_loss(config.dpo);
    if (scores_by_adapter(*reference_, config.dpo)) reference_adapter();
}

PromptAnswers PreferenceObjective::item_of(std::int64_t row) const {
    PromptAnswers item = prompt_answers(data_, row, config_.dpo.prefix_sharing);
    item.frozen = reference_->kind == ReferenceKind::frozen && !reference_->known(row);
    return item;
}

StepRows PreferenceObjective::cut(std::vector<std::int64_t> rows) const {
    StepRows step;
    step.rows = std::move(rows);
    std::vector<std::int64_t> lengths;
    for (const std::int64_t row : step.rows) lengths.push_back(item_of(row).tokens());
    step.leaves = cut_leaves(lengths, config_.train.leaf_tokens);
    for (const Range& leaf : step.leaves) {
        double cost = 0.0;
        std::int64_t tokens = 0;
        for (std::int64_t i = leaf.begin; i < leaf.end; ++i) {
            const PromptAnswers item = prompt_answers(data_, step.rows[static_cast<std::size_t>(i)], config_.dpo.prefix_sharing);
            // Ranks must agree on this, whatever each of them has scored already.
            cost += row_flops(decoder_.config(), item, reference_->kind == ReferenceKind::frozen && !config_.dpo.precompute_ref_log_probs);
            tokens += item.tokens();
            for (int answer = 0; answer < item.count; ++answer) {
                step.tokens += static_cast<std::int64_t>(item.prompt.size() + item.answers[static_cast<std::size_t>(answer)].size());
                step.labels += item.labels(answer);
            }
        }
        step.leaf_tokens.push_back(tokens);
        step.leaf_costs.push_back(cost);
    }
    return step;
}

template <class Take> bool PreferenceObjective::score_items(const std::vector<PromptAnswers>& items, const Take& take) {
    for (std::size_t first = 0, end; first < items.size(); first = end) {
        if (stop_requested() != 0) return false;
        RowSize sum;
        const auto fits = [&](const RowSize& row) { return sum.tokens + row.tokens <= size_.tokens && sum.labels + row.labels <= size_.labels; };
        for (end = first; end < items.size() && (end == first || fits(items[end].size())); ++end) {
            sum.tokens += items[end].tokens();
            sum.labels += items[end].labels();
        }
        const Range all{0, static_cast<std::int64_t>(end - first)};
        batch_.forward({items.data() + first, end - first}, {&all, 1}, false);
        take(first, end - first);
    }
    return true;
}

View PreferenceObjective::reference_adapter() {
    if (reference_adapter_.size() == 0) {
        reference_adapter_ = FlatArray(decoder_.stream(), decoder_.lora().parameters);
        reference_adapter_.set(decoder_.stream(), Span<const float>(reference_->parameters));
    }
    return reference_adapter_.view();
}

bool PreferenceObjective::score_rows(const std::vector<std::int64_t>& rows, View parameters, const Scored& scored) {
    std::vector<std::int64_t> wanted;
    std::vector<PromptAnswers> items;
    const bool frozen = reference_->kind == ReferenceKind::frozen;
    for (const std::int64_t row : rows) {
        if (reference_->known(row)) continue;
        wanted.push_back(row);
        items.push_back(item_of(row));
        items.back().policy = !frozen;
    }
    if (items.empty()) return true;
    if (!frozen) decoder_.refresh_adapter(reference_adapter());
    const bool done = score_items(items, [&](std::size_t first, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i)
            for (int answer = 0; answer < items[first + i].count; ++answer)
                reference_->set(wanted[first + i], answer, frozen ? batch_.frozen(i, answer) : batch_.policy(i, answer));
        if (scored) scored(static_cast<std::int64_t>(first + count));
    });
    if (!frozen) decoder_.refresh_adapter(parameters);
    return done;
}

bool PreferenceObjective::prepare(const StepRows& step, std::int64_t, Range mine, Comm& comm, View parameters) {
    const Range positions = positions_of(step, mine);
    step_chosen_tokens_ = 0;
    for (const std::int64_t row : step.rows) step_chosen_tokens_ += prompt_answers(data_, row, true).labels(0);
    const std::vector<std::int64_t> rows(step.rows.begin() + positions.begin, step.rows.begin() + positions.end);
    bool done = reference_->kind != ReferenceKind::adapter || score_rows(rows, parameters);
    if (!data_.paired() && unpaired_.needs_kl) done = estimate_kl(step, mine, comm, parameters) && done;
    if (data_.paired() && loss_.coupled()) done = couple(step, mine, comm) && done;
    return done;
}

// Every prompt with the completion of another row. No gradient flows through this.
bool PreferenceObjective::estimate_kl(const StepRows& step, Range mine, Comm& comm, View parameters) {
    const Range positions = positions_of(step, mine);
    const auto limit = static_cast<std::size_t>(config_.data.max_length);
    std::vector<PromptAnswers> items;
    for (std::int64_t i = positions.begin; i < positions.end; ++i) {
        const auto at = static_cast<std::size_t>(i);
        PromptAnswers item = prompt_answers(data_, step.rows[at], true);
        const Span<const std::int32_t> other = data_.completion(step.rows[mismatched_completion(at, step.rows.size())]);
        item.answers[0] = {other.data(), std::min(other.size(), limit - item.prompt.size())};
        item.frozen = reference_->kind == ReferenceKind::frozen;
        items.push_back(item);
    }
    std::vector<double> policy, reference;
    const auto score = [&](std::vector<double>& scores) {
        return score_items(items, [&](std::size_t, std::size_t count) {
            for (std::size_t i = 0; i < count; ++i) {
                scores.push_back(batch_.policy(i, 0));
                if (reference_->kind == ReferenceKind::frozen) reference.push_back(batch_.frozen(i, 0));
            }
        });
    };
    bool done = score(policy);
    if (reference_->kind == ReferenceKind::adapter && done) {
        decoder_.refresh_adapter(reference_adapter());
        done = score(reference);
        decoder_.refresh_adapter(parameters);
    }
    if (comm.all_max(done ? 0 : 1) != 0) return false;
    policy = gather_in_order(comm, std::move(policy));
    reference = gather_in_order(comm, std::move(reference));
    kl_ = mismatch_kl(policy, reference);
    return true;
}

// The loss sorts the whole batch: all of it is scored before any gradient is known.
bool PreferenceObjective::couple(const StepRows& step, Range mine, Comm& comm) {
    const Range positions = positions_of(step, mine);
    std::vector<PromptAnswers> items;
    for (std::int64_t i = positions.begin; i < positions.end; ++i) items.push_back(item_of(step.rows[static_cast<std::size_t>(i)]));
    std::vector<double> scores;  // chosen, rejected, and the reference's: four a pair
    const bool done = score_items(items, [&](std::size_t first, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::int64_t row = step.rows[static_cast<std::size_t>(positions.begin) + first + i];
            for (int answer = 0; answer < 2; ++answer) {
                scores.push_back(batch_.policy(i, answer));
                if (items[first + i].frozen) reference_->set(row, answer, batch_.frozen(i, answer));
            }
            for (int answer = 0; answer < 2; ++answer) scores.push_back(reference_->kind == ReferenceKind::none ? 0.0 : reference_->of(row, answer));
        }
    });
    if (comm.all_max(done ? 0 : 1) != 0) return false;
    scores = gather_in_order(comm, std::move(scores));
    const std::size_t count = step.rows.size();
    std::vector<double> columns[4];
    std::vector<std::int64_t> tokens[2];
    BatchTotals totals{static_cast<std::int64_t>(count), 0};
    for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t column = 0; column < 4; ++column) columns[column].push_back(scores[4 * i + column]);
        const PromptAnswers item = prompt_answers(data_, step.rows[i], true);
        for (int answer = 0; answer < 2; ++answer) tokens[answer].push_back(item.labels(answer));
        totals.chosen_tokens += item.labels(0);
    }
    for (std::vector<double>* values : {&coupled_loss_, &coupled_chosen_, &coupled_rejected_}) values->assign(count, 0.0);
    preference_loss(loss_, {columns[0], columns[1], columns[2], columns[3], tokens[0], tokens[1]}, totals,
                    {coupled_loss_, coupled_chosen_, coupled_rejected_});
    return true;
}

// Scores of the micro-batch's items, and where the frozen model scored them, for later.
void PreferenceObjective::read_scores(const StepRows& step, Range positions) {
    const auto count = static_cast<std::size_t>(positions.size());
    for (std::size_t answer = 0; answer < answers(); ++answer) {
        policy_[answer].resize(count);
        frozen_[answer].resize(reference_->kind == ReferenceKind::none ? 0 : count);
        tokens_[answer].resize(count);
        for (std::size_t i = 0; i < count; ++i) {
            const std::int64_t row = step.rows[static_cast<std::size_t>(positions.begin) + i];
            const int which = static_cast<int>(answer);
            policy_[answer][i] = batch_.policy(i, which);
            tokens_[answer][i] = items_[i].labels(which);
            if (items_[i].frozen) reference_->set(row, which, batch_.frozen(i, which));
            if (!frozen_[answer].empty()) frozen_[answer][i] = reference_->of(row, which);
        }
    }
    losses_.assign(count, 0.0);
    d_policy_.assign(2 * count, 0.0);
}

void PreferenceObjective::derive_pairs(const StepRows& step, Range positions) {
    const std::size_t count = losses_.size(), first = static_cast<std::size_t>(positions.begin);
    if (loss_.coupled()) {
        for (std::size_t i = 0; i < count; ++i) {
            losses_[i] = coupled_loss_[first + i];
            d_policy_[2 * i] = coupled_chosen_[first + i];
            d_policy_[2 * i + 1] = coupled_rejected_[first + i];
        }
        return;
    }
    const BatchTotals totals{static_cast<std::int64_t>(step.rows.size()), step_chosen_tokens_};
    d_columns_[0].assign(count, 0.0);
    d_columns_[1].assign(count, 0.0);
    preference_loss(loss_, {policy_[0], policy_[1], frozen_[0], frozen_[1], tokens_[0], tokens_[1]}, totals, {losses_, d_columns_[0], d_columns_[1]});
    for (std::size_t i = 0; i < count; ++i)
        for (std::size_t answer = 0; answer < 2; ++answer) d_policy_[2 * i + answer] = d_columns_[answer][i];
}

void PreferenceObjective::derive_answers(const StepRows& step, Range positions) {
    const std::size_t count = losses_.size();
    labels_.resize(count);
    for (std::size_t i = 0; i < count; ++i) labels_[i] = data_.label(step.rows[static_cast<std::size_t>(positions.begin) + i]) ? 1 : 0;
    d_columns_[0].assign(count, 0.0);
    unpaired_loss(unpaired_, {policy_[0], frozen_[0], labels_}, static_cast<std::int64_t>(step.rows.size()), kl_, {losses_, d_columns_[0]});
    for (std::size_t i = 0; i < count; ++i) d_policy_[2 * i] = d_columns_[0][i];
}

void PreferenceObjective::run(const StepRows& step, Range leaves, std::vector<LeafSums>& sums) {
    const Range positions = positions_of(step, leaves);
    items_.clear();
    item_leaves_.clear();
    for (std::int64_t i = positions.begin; i < positions.end; ++i) items_.push_back(item_of(step.rows[static_cast<std::size_t>(i)]));
    for (std::int64_t leaf = leaves.begin; leaf < leaves.end; ++leaf) {
        const Range rows = step.leaves[static_cast<std::size_t>(leaf)];
        item_leaves_.push_back({rows.begin - positions.begin, rows.end - positions.begin});
    }
    batch_.forward(items_, item_leaves_, training_);
    read_scores(step, positions);
    if (data_.paired()) derive_pairs(step, positions);
    else derive_answers(step, positions);
    if (training_) batch_.backward(d_policy_);
    non_finite_row_ = -1;
    // Of a loss over the whole batch every row's is not finite: the row that spoils it has a score that is not.
    const auto finite = [&](const std::vector<double>& scores, std::size_t i) { return scores.empty() || std::isfinite(scores[i]); };
    const bool whole = data_.paired() ? loss_.coupled() : unpaired_.needs_kl;
    for (std::size_t i = 0; i < losses_.size() && non_finite_row_ < 0; ++i) {
        bool good = whole || std::isfinite(losses_[i]);
        for (std::size_t answer = 0; answer < answers(); ++answer) good = good && finite(policy_[answer], i) && finite(frozen_[answer], i);
        if (!good) non_finite_row_ = step.rows[static_cast<std::size_t>(positions.begin) + i];
    }
    for (const Range& leaf : item_leaves_) sums.push_back(sums_of(leaf));
}

LeafSums PreferenceObjective::sums_of(Range items) const {
    LeafSums leaf;
    const auto first = static_cast<std::size_t>(items.begin), count = static_cast<std::size_t>(items.size());
    for (std::size_t i = first; i < first + count; ++i) {
        leaf.values[loss_sum] += losses_[i];
        leaf.flops += row_flops(decoder_.config(), items_[i], items_[i].frozen);
    }
    const auto part = [&](const auto& values) { return Span(values.data() + (values.empty() ? 0 : first), values.empty() ? 0 : count); };
    if (!data_.paired()) {
        const UnpairedSums sums = unpaired_sums(unpaired_, {part(policy_[0]), part(frozen_[0]), part(labels_)});
        leaf.values[pairs] = static_cast<double>(sums.desirable);
        leaf.values[undesirable] = static_cast<double>(sums.undesirable);
        leaf.values[chosen_rewards] = sums.desirable_rewards;
        leaf.values[rejected_rewards] = sums.undesirable_rewards;
        leaf.values[chosen_logps] = sums.desirable_logps;
        leaf.values[rejected_logps] = sums.undesirable_logps;
        leaf.values[kl_sum] = kl_ * static_cast<double>(count);
        return leaf;
    }
    const PreferenceSums sums =
        preference_sums(loss_, {part(policy_[0]), part(policy_[1]), part(frozen_[0]), part(frozen_[1]), part(tokens_[0]), part(tokens_[1])});
    leaf.values[pairs] = static_cast<double>(sums.pairs);
    leaf.values[accurate] = static_cast<double>(sums.accurate);
    leaf.values[chosen_tokens] = static_cast<double>(sums.chosen_tokens);
    leaf.values[chosen_rewards] = sums.chosen_rewards;
    leaf.values[rejected_rewards] = sums.rejected_rewards;
    leaf.values[margins] = sums.margins;
    leaf.values[chosen_logps] = sums.chosen_logps;
    leaf.values[rejected_logps] = sums.rejected_logps;
    leaf.values[chosen_nll] = sums.chosen_nll;
    leaf.values[log_odds] = sums.log_odds;
    leaf.values[log_odds_ratio] = sums.log_odds_ratio;
    for (std::size_t i = first; i < first + count; ++i) leaf.values[correct] += static_cast<double>(batch_.correct(i, 0));
    return leaf;
}

double PreferenceObjective::loss(const LeafSums& total) const { return total.values[loss_sum]; }

NamedMetrics PreferenceObjective::metrics(const LeafSums& total) const {
    const auto& v = total.values;
    const auto count = [&](std::size_t place) { return static_cast<std::int64_t>(v[place]); };
    if (!data_.paired()) {
        UnpairedSums sums;
        sums.desirable = count(pairs), sums.undesirable = count(undesirable);
        sums.desirable_rewards = v[chosen_rewards], sums.undesirable_rewards = v[rejected_rewards];
        sums.desirable_logps = v[chosen_logps], sums.undesirable_logps = v[rejected_logps];
        return unpaired_metrics(unpaired_, sums, v[kl_sum] / (v[pairs] + v[undesirable]));
    }
    PreferenceSums sums;
    sums.pairs = count(pairs), sums.accurate = count(accurate), sums.chosen_tokens = count(chosen_tokens);
    sums.chosen_rewards = v[chosen_rewards], sums.rejected_rewards = v[rejected_rewards], sums.margins = v[margins];
    sums.chosen_logps = v[chosen_logps], sums.rejected_logps = v[rejected_logps], sums.chosen_nll = v[chosen_nll];
    sums.log_odds = v[log_odds], sums.log_odds_ratio = v[log_odds_ratio];
    NamedMetrics metrics = preference_metrics(loss_, sums);
    metrics.emplace_back("mean_token_accuracy", v[correct] / v[chosen_tokens]);  // of chosen answers
    return metrics;
}

NamedMetrics PreferenceObjective::evaluation_metrics(const LeafSums& total) const {
    NamedMetrics metrics = this->metrics(total);
    const double n = total.values[pairs], share = total.values[accurate] / n;
    if (data_.paired() && n > 1) metrics.emplace_back("rewards/accuracies_stderr", std::sqrt(share * (1.0 - share) / (n - 1.0)));
    return metrics;
}

std::size_t PreferenceObjective::predict_bytes(const PreferenceDataset& data, const Config& config, const ReferenceScores& reference,
                                               const ModelConfig& model, const LoraLayout& lora, DType dtype, ObjectiveSize size) {
    const std::int64_t adapter = scores_by_adapter(reference, config.dpo) ? lora.parameters * static_cast<std::int64_t>(sizeof(float)) : 0;
    return AnswerBatch::predict_bytes(model, lora, dtype, with_mismatches(size, data, config), compares_frozen(reference, config.dpo)) +
           static_cast<std::size_t>(adapter);
}

}  // namespace temper
