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

void SftBatch::cut(StagedArena& arena) {
    const LoraLayout& lora = decoder_->lora();
    ids_ = arena.take_staged(DType::i32, {size_.tokens});
    positions_ = arena.take_staged(DType::i32, {size_.tokens});
    needed_ = arena.take_staged(DType::i32, {size_.labels});
    nll_ = arena.take_staged(DType::f32, {size_.labels});
    correct_ = arena.take_staged(DType::i32, {size_.labels});
    if (!training_) return;
    if (lora.settings.dropout > 0.0) {
        dropout_rows_ = arena.take_staged(DType::i32, {size_.tokens});
        for (Staged* rows : {&needed_rows_, &needed_tokens_}) *rows = arena.take_staged(DType::i32, {size_.labels});
    }
    d_hidden_ = arena.take(decoder_->dtype(), {size_.labels, decoder_->config().hidden_size});
    d_adapter_ = arena.take(DType::f32, {size_.leaves, lora.parameters});
}

SftBatch::SftBatch(const Decoder& decoder, ObjectiveSize size)
    : decoder_(&decoder),
      size_(size),
      training_(size.keep != Activations::Keep::nothing),
      activations_(decoder.stream().device(), decoder.config(), decoder.lora(), decoder.dtype(), size.tokens, size.keep, 0, size.labels),
      arena_(decoder.stream().device()) {
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
    label_source_.clear();
    leaf_label_end_.clear();
    std::int64_t at = 0;
    for (std::int64_t leaf = range.begin; leaf < range.end; ++leaf) {
        const std::int64_t leaf_begin = at;
        const Range rows = step.leaves[static_cast<std::size_t>(leaf)];
        for (std::int64_t i = rows.begin; i < rows.end; ++i) {
            const std::int64_t row = step.rows[static_cast<std::size_t>(i)], length = data.length(row);
            const auto ids = data.ids(row);
            const auto supervised = data.supervised(row);
            Segment segment;
            segment.begin = segment.key_begin = at;
            segment.length = length;
            batch_.segments.push_back(segment);
            for (std::int64_t t = 0; t < length; ++t) {
                ids_.host.as<std::int32_t>()[at + t] = ids[static_cast<std::size_t>(t)];
                positions_.host.as<std::int32_t>()[at + t] = static_cast<std::int32_t>(t);
                if (batch_.dropout.active()) dropout_rows_.host.as<std::int32_t>()[at + t] = static_cast<std::int32_t>(row);
                if (t == 0 || supervised[static_cast<std::size_t>(t)] == 0) continue;
                label_rows_.push_back(static_cast<std::int32_t>(at + t - 1));
                labels_.push_back(ids[static_cast<std::size_t>(t)]);
                label_source_.push_back(row);
            }
            at += length;
        }
        batch_.leaves.push_back({leaf_begin, at - leaf_begin});
        const std::int64_t before = leaf_label_end_.empty() ? 0 : leaf_label_end_.back();
        batch_.needed_leaves.push_back({before, static_cast<std::int64_t>(labels_.size()) - before});
        leaf_label_end_.push_back(static_cast<std::int64_t>(labels_.size()));
    }
    batch_.ids = give(ids_.rows(0, at));
    batch_.positions = give(positions_.rows(0, at));
    batch_.needed = View();
    if (batch_.dropout.active()) {
        batch_.dropout.rows = give(dropout_rows_.rows(0, at));
        batch_.dropout.tokens = batch_.positions;
    }
    if (every_row_ || labels_.size() == static_cast<std::size_t>(at)) return;
    // Behind the last attention only rows with a label go on: row j of the hidden states is that of label j.
    std::copy(label_rows_.begin(), label_rows_.end(), needed_.host.as<std::int32_t>());
    batch_.needed = give(needed_.rows(0, static_cast<std::int64_t>(label_rows_.size())));
    if (batch_.dropout.active()) thin_dropout();
    std::iota(label_rows_.begin(), label_rows_.end(), 0);
}

void SftBatch::thin_dropout() {
    const auto m = static_cast<std::int64_t>(label_rows_.size());
    for (std::int64_t i = 0; i < m; ++i) {
        const std::int32_t row = label_rows_[static_cast<std::size_t>(i)];
        needed_rows_.host.as<std::int32_t>()[i] = dropout_rows_.host.as<std::int32_t>()[row];
        needed_tokens_.host.as<std::int32_t>()[i] = positions_.host.as<std::int32_t>()[row];
    }
    batch_.needed_dropout = batch_.dropout;
    batch_.needed_dropout.rows = give(needed_rows_.rows(0, m));
    batch_.needed_dropout.tokens = give(needed_tokens_.rows(0, m));
}

void SftBatch::set_dropout(double probability, std::uint64_t seed, std::uint64_t step) {
    batch_.dropout.probability = training_ ? static_cast<float>(probability) : 0.0f;
    batch_.dropout.seed = seed;
    batch_.dropout.step = step;
}

void SftBatch::run(const TokenDataset& data, const StepRows& step, Range range, float grad_scale, std::vector<LeafResult>& results) {
    lay_out(data, step, range);
    Stream& stream = decoder_->stream();
    const std::int64_t m = static_cast<std::int64_t>(labels_.size());
    const View hidden = decoder_->forward(batch_, activations_);
    const View d_hidden = training_ ? d_hidden_.rows(0, hidden.size(0)) : View();
    ops::linear_cross_entropy(stream, nll_.device.rows(0, m), correct_.device.rows(0, m), d_hidden, hidden, decoder_->head(), label_rows_, labels_,
                              grad_scale, static_cast<float>(decoder_->config().logit_softcap));
    if (training_) {
        if (const SavedModule* whole = decoder_->lora().saved_head())
            ops::linear_cross_entropy_weight(stream, d_adapter_.flat(whole->offset, {whole->rows, whole->columns}), hidden, decoder_->head(),
                                             nll_.device.rows(0, m), label_rows_, labels_, grad_scale,
                                             static_cast<float>(decoder_->config().logit_softcap));
        const auto leaves = static_cast<std::int64_t>(batch_.leaves.size());
        decoder_->backward(batch_, activations_, d_hidden, d_adapter_.rows(0, leaves));
    }
    for (const Staged* result : {&nll_, &correct_}) fetch(stream, result->rows(0, m));
    stream.synchronize();
    collect(step, range, results);
}

void SftBatch::collect(const StepRows& step, Range range, std::vector<LeafResult>& results) {
    const float* nll = nll_.host.as<float>();
    const std::int32_t* correct = correct_.host.as<std::int32_t>();
    std::int64_t label = 0;
    non_finite_row_ = -1;
    for (std::int64_t leaf = range.begin; leaf < range.end; ++leaf) {
        LeafResult result;
        const std::int64_t end = leaf_label_end_[static_cast<std::size_t>(leaf - range.begin)];
        result.labels = end - label;
        result.tokens = step.leaf_tokens[static_cast<std::size_t>(leaf)];
        for (; label < end; ++label) {
            result.nll += static_cast<double>(nll[label]);
            result.correct += correct[label];
            if (non_finite_row_ < 0 && !std::isfinite(nll[label])) non_finite_row_ = label_source_[static_cast<std::size_t>(label)];
        }
        results.push_back(result);
    }
}

}  // namespace temper
