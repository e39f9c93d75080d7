#include "train/sft_batch.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/error.h"
#include "model/flops.h"

namespace temper {

StepRows cut_step(const TokenDataset& data, std::vector<std::int64_t> rows, std::int64_t leaf_tokens, const ModelConfig& model) {
    StepRows step;
    step.rows = std::move(rows);
    std::vector<std::int64_t> lengths;
    for (const std::int64_t row : step.rows) lengths.push_back(data.length(row));
    step.leaves = cut_leaves(lengths, leaf_tokens);
    for (const Range& leaf : step.leaves) {
        std::int64_t tokens = 0;
        double cost = 0.0;
        for (std::int64_t i = leaf.begin; i < leaf.end; ++i) {
            const std::int64_t row = step.rows[static_cast<std::size_t>(i)];
            tokens += data.length(row);
            step.labels += data.labels(row);
            cost += sft_row_flops(model, data.length(row), data.labels(row));
        }
        step.leaf_tokens.push_back(tokens);
        step.leaf_costs.push_back(cost);
        step.tokens += tokens;
    }
    return step;
}

void SftBatch::cut(StagedArena& arena, Side& side, const Side* first) const {
    const auto take = [&](Staged Side::*numbers, DType dtype, std::int64_t count) {
        side.*numbers = first == nullptr ? arena.take_staged(dtype, {count}) : arena.take_twin(first->*numbers);
    };
    take(&Side::ids, DType::i32, size_.tokens);
    take(&Side::positions, DType::i32, size_.tokens);
    take(&Side::needed, DType::i32, size_.labels);
    take(&Side::nll, DType::f32, size_.labels);
    take(&Side::correct, DType::i32, size_.labels);
    if (!training_ || decoder_->lora().settings.dropout == 0.0) return;
    take(&Side::dropout_rows, DType::i32, size_.tokens);
    take(&Side::needed_rows, DType::i32, size_.labels);
    take(&Side::needed_tokens, DType::i32, size_.labels);
}

void SftBatch::cut(StagedArena& arena) {
    for (Side& side : sides_) cut(arena, side, &side == &sides_.front() ? nullptr : &sides_.front());
    if (!training_) return;
    d_hidden_ = arena.take(decoder_->dtype(), {size_.labels, decoder_->config().hidden_size});
    d_adapter_ = arena.take(DType::f32, {size_.leaves, decoder_->lora().parameters});
}

SftBatch::SftBatch(const Decoder& decoder, ObjectiveSize size)
    : decoder_(&decoder),
      size_(size),
      training_(size.keep != Activations::Keep::nothing),
      activations_(decoder.stream().device(), decoder.config(), decoder.lora(), decoder.dtype(), size.tokens, size.keep, 0, size.labels),
      arena_(decoder.stream().device()),
      sides_(decoder.stream().device() == Device::cpu ? 1 : 2) {
    cut(arena_);
    arena_ = arena_.allocated();
    cut(arena_);
}

std::size_t SftBatch::predict_bytes(const ModelConfig& config, const LoraLayout& lora, DType dtype, ObjectiveSize size) {
    const bool training = size.keep != Activations::Keep::nothing;
    std::int64_t bytes = 8 * size.tokens + 12 * size.labels;
    if (training && lora.settings.dropout > 0.0) bytes += 4 * size.tokens + 8 * size.labels;
    if (training) bytes += size.labels * config.hidden_size * size_of(dtype) + size.leaves * lora.parameters * 4;
    return Activations::predict_bytes(config, lora, dtype, size.tokens, size.keep, 0, size.labels) + static_cast<std::size_t>(bytes);
}

// What was cut from the arena is all there is.
void SftBatch::check_room(const TokenDataset& data, const StepRows& step, Range range) const {
    std::int64_t tokens = 0, labels = 0;
    for (std::int64_t leaf = range.begin; leaf < range.end; ++leaf) {
        const Range rows = step.leaves[static_cast<std::size_t>(leaf)];
        for (std::int64_t i = rows.begin; i < rows.end; ++i) {
            const std::int64_t row = step.rows[static_cast<std::size_t>(i)];
            tokens += data.length(row);
            labels += data.labels(row);
        }
    }
    if (every_row_) labels = tokens;
    if (tokens > size_.tokens || labels > size_.labels || (training_ && range.size() > size_.leaves))
        throw_error(ExitCode::internal, "SftBatch: {} tokens, {} labels, {} leaves, expected at most {}, {}, {}", tokens, labels, range.size(),
                    size_.tokens, size_.labels, size_.leaves);
}

// What the host has written, as the device sees it.
View SftBatch::give(const Staged& numbers) const {
    send(decoder_->stream(), numbers);
    return numbers.device;
}

// Rows one after another; label i of a row is predicted by the hidden state of the token before it.
void SftBatch::lay_out(const TokenDataset& data, const StepRows& step, Range range) {
    check_room(data, step, range);
    batch_.segments.clear();
    batch_.leaves.clear();
    batch_.needed_leaves.clear();
    label_rows_.clear();
    labels_.clear();
    side().label_source.clear();
    side().leaves.clear();
    tokens_ = 0;
    for (std::int64_t leaf = range.begin; leaf < range.end; ++leaf) {
        const std::int64_t first = tokens_, first_label = static_cast<std::int64_t>(labels_.size());
        const auto at = static_cast<std::size_t>(leaf);
        for (std::int64_t i = step.leaves[at].begin; i < step.leaves[at].end; ++i) lay_out_row(data, step.rows[static_cast<std::size_t>(i)]);
        batch_.leaves.push_back({first, tokens_ - first});
        batch_.needed_leaves.push_back({first_label, static_cast<std::int64_t>(labels_.size()) - first_label});
        LeafResult result;
        result.labels = batch_.needed_leaves.back().length;
        result.tokens = step.leaf_tokens[at];
        result.cost = step.leaf_costs[at];
        side().leaves.push_back(result);
    }
    const bool every_row = every_row_ || (!size_.fills_up() && static_cast<std::int64_t>(labels_.size()) == tokens_);
    if (size_.fills_up()) make_up();
    give_rows();
    batch_.needed = View();
    if (every_row) return;
    // Behind the last attention only rows with a label go on: row j of the hidden states is that of label j.
    const auto m = static_cast<std::int64_t>(label_rows_.size());
    std::copy(label_rows_.begin(), label_rows_.end(), side().needed.host.as<std::int32_t>());
    batch_.needed = give(side().needed.rows(0, m));
    if (batch_.dropout.active()) thin_dropout(label_rows_);
    std::iota(label_rows_.begin(), label_rows_.end(), 0);
}

void SftBatch::lay_out_row(const TokenDataset& data, std::int64_t row) {
    const std::int64_t length = data.length(row);
    const auto ids = data.ids(row);
    const auto supervised = data.supervised(row);
    Segment segment;
    segment.begin = segment.key_begin = tokens_;
    segment.length = length;
    batch_.segments.push_back(segment);
    for (std::int64_t t = 0; t < length; ++t) {
        side().ids.host.as<std::int32_t>()[tokens_ + t] = ids[static_cast<std::size_t>(t)];
        side().positions.host.as<std::int32_t>()[tokens_ + t] = static_cast<std::int32_t>(t);
        if (batch_.dropout.active()) side().dropout_rows.host.as<std::int32_t>()[tokens_ + t] = static_cast<std::int32_t>(row);
        if (t == 0 || supervised[static_cast<std::size_t>(t)] == 0) continue;
        label_rows_.push_back(static_cast<std::int32_t>(tokens_ + t - 1));
        labels_.push_back(ids[static_cast<std::size_t>(t)]);
        side().label_source.push_back(row);
    }
    tokens_ += length;
}

// Tokens of nobody in a document of their own and in no leaf, labels of rows that are not there, and leaves without tokens.
void SftBatch::make_up() {
    const std::int64_t tokens = size_.rows_for(tokens_), m = static_cast<std::int64_t>(labels_.size());
    const std::int64_t labels = std::min(size_.rows_for(m), tokens);
    Segment segment;
    segment.begin = segment.key_begin = tokens_;
    segment.length = tokens - tokens_;
    if (segment.length > 0) batch_.segments.push_back(segment);
    for (; training_ && static_cast<std::int64_t>(batch_.leaves.size()) < size_.leaves;) {
        batch_.leaves.push_back({tokens_, 0});
        batch_.needed_leaves.push_back({m, 0});
    }
    for (const Staged* numbers : {&side().ids, &side().positions, &side().dropout_rows})
        if (!numbers->host.empty()) std::fill(numbers->host.as<std::int32_t>() + tokens_, numbers->host.as<std::int32_t>() + tokens, 0);
    for (std::int64_t i = m; i < labels; ++i) label_rows_.push_back(static_cast<std::int32_t>(tokens + i - m));
    labels_.resize(static_cast<std::size_t>(labels), 0);
    tokens_ = tokens;
}

void SftBatch::give_rows() {
    batch_.ids = give(side().ids.rows(0, tokens_));
    batch_.positions = give(side().positions.rows(0, tokens_));
    if (!batch_.dropout.active()) return;
    batch_.dropout.rows = give(side().dropout_rows.rows(0, tokens_));
    batch_.dropout.tokens = batch_.positions;
}

void SftBatch::thin_dropout(Span<const std::int32_t> rows) {
    const auto m = static_cast<std::int64_t>(rows.size());
    for (std::int64_t i = 0; i < m; ++i) {
        const std::int32_t row = rows[static_cast<std::size_t>(i)];
        const bool is_there = row < tokens_;
        side().needed_rows.host.as<std::int32_t>()[i] = is_there ? side().dropout_rows.host.as<std::int32_t>()[row] : 0;
        side().needed_tokens.host.as<std::int32_t>()[i] = is_there ? side().positions.host.as<std::int32_t>()[row] : 0;
    }
    batch_.needed_dropout = batch_.dropout;
    batch_.needed_dropout.rows = give(side().needed_rows.rows(0, m));
    batch_.needed_dropout.tokens = give(side().needed_tokens.rows(0, m));
}

void SftBatch::set_dropout(double probability, std::uint64_t seed, std::uint64_t step) {
    batch_.dropout.probability = training_ ? static_cast<float>(probability) : 0.0f;
    batch_.dropout.seed = seed;
    batch_.dropout.step = step;
}

void SftBatch::pass(float grad_scale) {
    Stream& stream = decoder_->stream();
    const std::int64_t m = static_cast<std::int64_t>(labels_.size());
    const auto softcap = static_cast<float>(decoder_->config().logit_softcap);
    const View nll = side().nll.device.rows(0, m), correct = side().correct.device.rows(0, m);
    const View hidden = decoder_->forward(batch_, activations_);
    const View d_hidden = training_ ? d_hidden_.rows(0, hidden.size(0)) : View();
    ops::linear_cross_entropy(stream, nll, correct, d_hidden, hidden, decoder_->head(), label_rows_, labels_, grad_scale, softcap);
    if (!training_) return;
    if (const SavedModule* whole = decoder_->lora().saved_head())
        ops::linear_cross_entropy_weight(stream, d_adapter_.flat(whole->offset, {whole->rows, whole->columns}), hidden, decoder_->head(), nll,
                                         label_rows_, labels_, grad_scale, softcap);
    decoder_->backward(batch_, activations_, d_hidden, d_adapter_.rows(0, static_cast<std::int64_t>(batch_.leaves.size())));
}

void SftBatch::submit(const TokenDataset& data, const StepRows& step, Range range, float grad_scale) {
    if (under_way_ == sides_.size()) throw_error(ExitCode::internal, "SftBatch: {} micro-batches are under way already", under_way_);
    Stream& stream = decoder_->stream();
    lay_out(data, step, range);
    stream.run_recorded([&] { pass(grad_scale); });
    const auto labels = static_cast<std::int64_t>(side().label_source.size());
    for (const Staged* result : {&side().nll, &side().correct}) fetch(stream, result->rows(0, labels));
    side().mark = stream.mark();
    next_ = (next_ + 1) % sides_.size();
    ++under_way_;
}

void SftBatch::drain(std::vector<LeafResult>& results, std::size_t left) {
    non_finite_row_ = -1;
    for (; under_way_ > left; --under_way_) {
        Side& oldest = sides_[(next_ + sides_.size() - under_way_) % sides_.size()];
        decoder_->stream().wait(oldest.mark);
        collect(oldest, results);
    }
}

void SftBatch::run(const TokenDataset& data, const StepRows& step, Range range, float grad_scale, std::vector<LeafResult>& results) {
    submit(data, step, range, grad_scale);
    drain(results);
}

void SftBatch::collect(Side& side, std::vector<LeafResult>& results) {
    const float* nll = side.nll.host.as<float>();
    const std::int32_t* correct = side.correct.host.as<std::int32_t>();
    std::size_t label = 0;
    for (LeafResult result : side.leaves) {
        for (const std::size_t end = label + static_cast<std::size_t>(result.labels); label < end; ++label) {
            result.nll += static_cast<double>(nll[label]);
            result.correct += correct[label];
            if (non_finite_row_ < 0 && !std::isfinite(nll[label])) non_finite_row_ = side.label_source[label];
        }
        results.push_back(result);
    }
}

}  // namespace temper
