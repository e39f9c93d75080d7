#include "train/answer_batch.h"

#include <algorithm>
#include <numeric>

namespace temper {
namespace {

std::int64_t length(Span<const std::int32_t> ids) { return static_cast<std::int64_t>(ids.size()); }

}  // namespace

std::int64_t PromptAnswers::labels(int answer) const { return length(answers[static_cast<std::size_t>(answer)]) - (prompt.empty() ? 1 : 0); }

std::int64_t PromptAnswers::tokens() const {
    const std::int64_t before = std::max<std::int64_t>(0, length(prompt) - 1);  // of the prompt's last token
    std::int64_t tokens = shared ? before : before * count;
    for (int answer = 0; answer < count; ++answer) tokens += labels(answer);
    return tokens;
}

std::int64_t PromptAnswers::labels() const {
    std::int64_t all = 0;
    for (int answer = 0; answer < count; ++answer) all += labels(answer);
    return all;
}

void AnswerBatch::cut(StagedArena& arena) {
    const std::int64_t passes = has_frozen_ ? 2 : 1, tokens = passes * size_.tokens, labels = passes * size_.labels;
    ids_ = arena.take_staged(DType::i32, {tokens});
    positions_ = arena.take_staged(DType::i32, {tokens});
    needed_ = arena.take_staged(DType::i32, {labels});
    nll_ = arena.take_staged(DType::f32, {labels});
    correct_ = arena.take_staged(DType::i32, {labels});
    if (!training_) return;
    d_hidden_ = arena.take(decoder_->dtype(), {size_.labels, decoder_->config().hidden_size});
    d_adapter_ = arena.take(DType::f32, {size_.leaves, decoder_->lora().parameters});
}

AnswerBatch::AnswerBatch(const Decoder& decoder, ObjectiveSize size, bool frozen)
    : decoder_(&decoder),
      size_(size),
      training_(size.keep != Activations::Keep::nothing),
      has_frozen_(frozen),
      activations_(decoder.stream().device(), decoder.config(), decoder.lora(), decoder.dtype(), size.tokens, size.keep, frozen ? size.tokens : 0,
                   (frozen ? 2 : 1) * size.labels),
      arena_(decoder.stream().device()) {
    cut(arena_);
    arena_ = arena_.allocated();
    cut(arena_);
}

std::size_t AnswerBatch::predict_bytes(const ModelConfig& config, const LoraLayout& lora, DType dtype, ObjectiveSize size, bool frozen) {
    const std::int64_t passes = frozen ? 2 : 1;
    std::int64_t bytes = passes * (8 * size.tokens + 12 * size.labels);
    if (size.keep != Activations::Keep::nothing) bytes += size.labels * config.hidden_size * size_of(dtype) + size.leaves * lora.parameters * 4;
    return Activations::predict_bytes(config, lora, dtype, size.tokens, size.keep, frozen ? size.tokens : 0, passes * size.labels) +
           static_cast<std::size_t>(bytes);
}

void AnswerBatch::add_tokens(Span<const std::int32_t> ids, std::int64_t first_position) {
    std::copy(ids.begin(), ids.end(), ids_.host.as<std::int32_t>() + at_);
    std::iota(positions_.host.as<std::int32_t>() + at_, positions_.host.as<std::int32_t>() + at_ + ids.size(),
              static_cast<std::int32_t>(first_position));
    at_ += length(ids);
}

// From `begin` to what is laid out last.
void AnswerBatch::add_segment(std::int64_t begin, std::int64_t prefix_begin, std::int64_t prefix_length) {
    if (at_ > begin) batch_.segments.push_back({begin, at_ - begin, begin, prefix_begin, prefix_length, prefix_length});
}

// The tokens that predict an answer, behind what is laid out: the prompt's last one, and the answer without its own.
void AnswerBatch::add_answer(const PromptAnswers& item, int answer, Score& score) {
    const Span<const std::int32_t> ids = item.answers[static_cast<std::size_t>(answer)];
    const std::int64_t prompt = length(item.prompt), first = at_, unpredicted = prompt == 0 ? 1 : 0;
    if (prompt > 0) add_tokens({&item.prompt[item.prompt.size() - 1], 1}, prompt - 1);
    add_tokens({ids.data(), ids.size() - 1}, prompt);
    score.first_label = static_cast<std::int64_t>(labels_.size());
    score.labels = item.labels(answer);
    for (std::int64_t i = 0; i < score.labels; ++i) {
        label_rows_.push_back(static_cast<std::int32_t>(first + i));
        labels_.push_back(ids[static_cast<std::size_t>(i + unpredicted)]);
    }
}

void AnswerBatch::add_item(const PromptAnswers& item, Score* scores) {
    const std::int64_t before = std::max<std::int64_t>(0, length(item.prompt) - 1);
    const Span<const std::int32_t> prefix(item.prompt.data(), static_cast<std::size_t>(before));
    const std::int64_t prefix_begin = at_;
    if (item.shared) {
        add_tokens(prefix, 0);
        add_segment(prefix_begin, 0, 0);
    }
    for (int answer = 0; answer < item.count; ++answer) {
        const std::int64_t begin = at_;
        if (!item.shared) add_tokens(prefix, 0);
        add_answer(item, answer, scores[answer]);
        if (item.shared) add_segment(begin, prefix_begin, before);
        else add_segment(begin, 0, 0);
    }
}

// What was cut from the arena is all there is.
void AnswerBatch::check_room(Span<const PromptAnswers> items) const {
    RowSize policy, frozen;
    for (const PromptAnswers& item : items)
        for (RowSize* sum : {item.policy ? &policy : nullptr, item.frozen ? &frozen : nullptr})
            if (sum != nullptr) sum->tokens += item.tokens(), sum->labels += item.labels();
    const auto fits = [](const RowSize& sum, std::int64_t tokens, std::int64_t labels) { return sum.tokens <= tokens && sum.labels <= labels; };
    if (!fits(policy, size_.tokens, size_.labels) || !fits(frozen, has_frozen_ ? size_.tokens : 0, has_frozen_ ? size_.labels : 0))
        throw_error(ExitCode::internal, "AnswerBatch: {} tokens with {} labels and {} frozen ones with {}, expected at most {} with {} of either{}",
                    policy.tokens, policy.labels, frozen.tokens, frozen.labels, size_.tokens, size_.labels, has_frozen_ ? "" : ", and none frozen");
}

void AnswerBatch::lay_out(Span<const PromptAnswers> items, Span<const Range> leaves) {
    check_room(items);
    at_ = 0;
    batch_.segments.clear();
    policy_batch_.leaves.clear();
    policy_batch_.needed_leaves.clear();
    label_rows_.clear();
    labels_.clear();
    policy_.assign(2 * items.size(), Score());
    frozen_.assign(2 * items.size(), Score());
    for (const Range& leaf : leaves) {
        const std::int64_t begin = at_;
        const auto first_label = static_cast<std::int64_t>(labels_.size());
        for (std::int64_t i = leaf.begin; i < leaf.end; ++i)
            if (items[static_cast<std::size_t>(i)].policy) add_item(items[static_cast<std::size_t>(i)], &policy_[2 * static_cast<std::size_t>(i)]);
        policy_batch_.leaves.push_back({begin, at_ - begin});
        policy_batch_.needed_leaves.push_back({first_label, static_cast<std::int64_t>(labels_.size()) - first_label});
    }
    if (size_.fills_up()) {
        const Leaf end{at_, 0}, needed_end{static_cast<std::int64_t>(labels_.size()), 0};
        make_up(0, 0);
        policy_batch_.leaves.resize(std::max(policy_batch_.leaves.size(), static_cast<std::size_t>(size_.leaves)), end);
        policy_batch_.needed_leaves.resize(policy_batch_.leaves.size(), needed_end);
    }
    batch_.adapted = at_;
    policy_labels_ = static_cast<std::int64_t>(labels_.size());
    policy_batch_.segments = batch_.segments;
    for (std::size_t i = 0; i < items.size(); ++i)
        if (items[i].frozen) add_item(items[i], &frozen_[2 * i]);
    if (size_.fills_up()) make_up(batch_.adapted, static_cast<std::size_t>(policy_labels_));
    batch_.needed_adapted = policy_labels_;
    give();
}

// Tokens from `first_token` on, and their labels, are made up to the quantum: tokens of nobody in a document of their own, labels of rows behind all.
void AnswerBatch::make_up(std::int64_t first_token, std::size_t first_label) {
    const std::int64_t tokens = size_.rows_for(at_ - first_token), begin = at_;
    const std::size_t m = labels_.size() - first_label;
    const auto labels = static_cast<std::size_t>(std::min(size_.rows_for(static_cast<std::int64_t>(m)), tokens));
    for (Staged* numbers : {&ids_, &positions_})
        std::fill(numbers->host.as<std::int32_t>() + at_, numbers->host.as<std::int32_t>() + first_token + tokens, 0);
    at_ = first_token + tokens;
    add_segment(begin, 0, 0);
    for (std::size_t i = m; i < labels; ++i) label_rows_.push_back(static_cast<std::int32_t>(2 * size_.tokens + static_cast<std::int64_t>(i - m)));
    labels_.resize(first_label + labels, 0);
}

void AnswerBatch::give() {
    const auto labels = static_cast<std::int64_t>(labels_.size()), policy_tokens = batch_.adapted;
    for (TokenBatch* batch : {&batch_, &policy_batch_}) {
        const bool whole = batch == &batch_;
        batch->ids = ids_.device.rows(0, whole ? at_ : policy_tokens);
        batch->positions = positions_.device.rows(0, whole ? at_ : policy_tokens);
        const bool every_row = !size_.fills_up() && labels == at_;
        batch->needed = every_row ? View() : needed_.device.rows(0, whole ? labels : policy_labels_);
    }
    // Behind the last attention only tokens with a label go on: row j of the hidden states is that of label j.
    std::copy(label_rows_.begin(), label_rows_.end(), needed_.host.as<std::int32_t>());
    std::iota(label_rows_.begin(), label_rows_.end(), 0);
    Stream& stream = decoder_->stream();
    for (const Staged* tokens : {&ids_, &positions_}) send(stream, tokens->rows(0, at_));
    send(stream, needed_.rows(0, labels));
}

void AnswerBatch::pass(bool gradient) {
    Stream& stream = decoder_->stream();
    const View hidden = decoder_->forward(batch_, activations_);
    const auto softcap = static_cast<float>(decoder_->config().logit_softcap);
    const std::int64_t policy = policy_labels_, frozen = static_cast<std::int64_t>(labels_.size()) - policy;
    ops::linear_cross_entropy(stream, nll_.device.rows(0, policy), correct_.device.rows(0, policy), gradient ? d_hidden_.rows(0, policy) : View(),
                              hidden.rows(0, policy), decoder_->head(), {label_rows_.data(), static_cast<std::size_t>(policy)},
                              {labels_.data(), static_cast<std::size_t>(policy)}, 1.0f, softcap);
    if (frozen > 0)
        ops::linear_cross_entropy(stream, nll_.device.rows(policy, frozen), correct_.device.rows(policy, frozen), View(), hidden.rows(policy, frozen),
                                  decoder_->head(), {label_rows_.data(), static_cast<std::size_t>(frozen)},
                                  {labels_.data() + policy, static_cast<std::size_t>(frozen)}, 1.0f, softcap);
}

void AnswerBatch::forward(Span<const PromptAnswers> items, Span<const Range> leaves, bool gradient) {
    lay_out(items, leaves);
    Stream& stream = decoder_->stream();
    stream.run_recorded([&] { pass(gradient); });
    for (const Staged* result : {&nll_, &correct_}) fetch(stream, result->rows(0, static_cast<std::int64_t>(labels_.size())));
    stream.synchronize();
    score(policy_);
    score(frozen_);
}

void AnswerBatch::score(std::vector<Score>& scores) const {
    for (Score& score : scores)
        for (std::int64_t label = score.first_label; label < score.first_label + score.labels; ++label) {
            score.logp -= static_cast<double>(nll_.host.as<float>()[label]);
            score.correct += correct_.host.as<std::int32_t>()[label];
        }
}

void AnswerBatch::backward(Span<const double> d_policy) {
    // d_hidden holds the gradients of the tokens' nll, which an answer's log-probability is the negative sum of.
    factors_.assign(static_cast<std::size_t>(policy_labels_), 0.0f);
    for (std::size_t i = 0; i < policy_.size(); ++i)
        std::fill_n(factors_.begin() + policy_[i].first_label, policy_[i].labels, static_cast<float>(-d_policy[i]));
    const View d_hidden = d_hidden_.rows(0, policy_labels_);
    decoder_->stream().run_recorded([&] {
        ops::scale_rows(decoder_->stream(), d_hidden, factors_);
        decoder_->backward(policy_batch_, activations_, d_hidden, d_adapter_.rows(0, static_cast<std::int64_t>(policy_batch_.leaves.size())));
    });
}

}  // namespace temper
