#include "model/generation_session.h"

#include <algorithm>
#include <cmath>

#include "kernels/random.h"

namespace temper {
namespace {

// The next power of two: of so few rows a pass costs about the same, whatever their number.
std::int64_t rows_of_slots(std::size_t slots) {
    std::int64_t rows = 1;
    while (rows < static_cast<std::int64_t>(slots)) rows *= 2;
    return rows;
}

std::int64_t rows_of(const Decoder& decoder, const GenerationSession::Limits& limits) {
    return decoder.stream().keeps_graphs() ? rows_of_slots(static_cast<std::size_t>(limits.slots)) : limits.slots;
}

std::int64_t pass_tokens_of(const Decoder& decoder, const GenerationSession::Limits& limits) {
    return std::max(limits.prefill_tokens, limits.capacity) + rows_of(decoder, limits);
}

}  // namespace

GenerationSession::GenerationSession(const Decoder& decoder, std::vector<std::int32_t> end_ids, Limits limits)
    : decoder_(decoder),
      end_ids_(std::move(end_ids)),
      limits_(limits),
      slots_(static_cast<std::size_t>(limits.slots)),
      rows_(rows_of(decoder, limits)),
      pass_tokens_(pass_tokens_of(decoder, limits)),
      cache_(decoder.stream().device(), decoder.config(), decoder.dtype(), limits.slots, limits.capacity),
      activations_(decoder.stream().device(), decoder.config(), LoraLayout{}, decoder.dtype(), pass_tokens_, Activations::Keep::nothing),
      arena_(decoder.stream().device()) {
    const auto cut = [&](StagedArena& arena) {
        ids_ = arena.take_staged(DType::i32, {pass_tokens_});
        positions_ = arena.take_staged(DType::i32, {pass_tokens_});
        cache_rows_ = arena.take_staged(DType::i32, {pass_tokens_});
        last_rows_ = arena.take_staged(DType::i32, {rows_});
        gathered_ = arena.take(decoder.dtype(), {rows_, decoder.config().hidden_size});
        logits_ = arena.take_staged(DType::f32, {rows_, decoder.config().vocab_size});
    };
    cut(arena_);
    arena_ = arena_.allocated();
    cut(arena_);
}

std::size_t GenerationSession::predict_bytes(const Decoder& decoder, const Limits& limits) {
    const ModelConfig& config = decoder.config();
    const std::int64_t rows = rows_of(decoder, limits), tokens = pass_tokens_of(decoder, limits);
    const auto element = static_cast<std::int64_t>(size_of(decoder.dtype()));
    const std::int64_t cache = 2 * config.layers * limits.slots * limits.capacity * config.key_value_heads * config.head_size * element;
    const std::int64_t numbers = 4 * (3 * tokens + rows + rows * config.vocab_size) + rows * config.hidden_size * element;
    return static_cast<std::size_t>(cache + numbers) +
           Activations::predict_bytes(config, LoraLayout{}, decoder.dtype(), tokens, Activations::Keep::nothing);
}

std::int64_t GenerationSession::running() const {
    return std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.busy; });
}

void GenerationSession::check(std::uint64_t key, Span<const std::int32_t> prompt) const {
    if (prompt.empty()) throw_error(ExitCode::bad_data, "generate: prompt {} has no token", key + 1);
    if (static_cast<std::int64_t>(prompt.size()) >= limits_.capacity)
        throw_error(ExitCode::bad_data, "generate: prompt {} has {} tokens, expected less than the {} of a slot", key + 1, prompt.size(),
                    limits_.capacity);
    const std::int64_t vocabulary = decoder_.config().vocab_size;
    for (const std::int32_t id : prompt)
        if (id < 0 || id >= vocabulary)
            throw_error(ExitCode::bad_data, "generate: prompt {} has token {}, the model has {}: the tokenizer is of another model", key + 1, id,
                        vocabulary);
}

bool GenerationSession::admit(GenerationRow& row) {
    check(row.key, {row.prompt.data(), row.prompt.size()});
    std::int64_t room = pass_tokens_;
    Slot* free = nullptr;
    for (Slot& slot : slots_) {
        room -= static_cast<std::int64_t>(slot.pending.size());
        if (!slot.busy && free == nullptr) free = &slot;
    }
    const auto length = static_cast<std::int64_t>(row.prompt.size());
    if (free == nullptr || length > room) return false;
    free->busy = true;
    free->pending = std::move(row.prompt);
    free->row = std::move(row);
    free->row.max_new_tokens = std::min(free->row.max_new_tokens, limits_.capacity - length);
    return true;
}

// Runs every pending token and takes one new token a busy slot.
void GenerationSession::step(const Told& told) {
    lay_out();
    const auto busy = static_cast<std::int64_t>(busy_.size());
    // Where every slot has one token, passes are alike but for what tables hold, once their rows are made up to a number that does not change
    // with every slot that is done.
    const bool decodes = decoder_.stream().keeps_graphs() && tokens_ == busy;
    if (decodes) fill_up(rows_of_slots(busy_.size()));
    const std::int64_t rows = decodes ? tokens_ : busy;
    Stream& stream = decoder_.stream();
    for (const Staged* tokens : {&ids_, &positions_, &cache_rows_}) send(stream, tokens->rows(0, tokens_));
    send(stream, last_rows_.rows(0, rows));
    batch_.ids = ids_.device.rows(0, tokens_);
    batch_.positions = positions_.device.rows(0, tokens_);
    batch_.cache_rows = cache_rows_.device.rows(0, tokens_);
    const auto forward = [&] {
        const View hidden = decoder_.forward_cached(batch_, activations_, cache_);
        decoder_.logits(logits_.device.rows(0, rows), hidden, last_rows_.device.rows(0, rows), gathered_.rows(0, rows));
    };
    if (decodes) stream.run_recorded(forward);
    else forward();
    fetch(stream, logits_.rows(0, busy));
    stream.synchronize();
    for (std::size_t i = 0; i < busy_.size(); ++i) take(slots_[busy_[i]], logits_.host.row<float>(static_cast<std::int64_t>(i)), told);
}

// Pending tokens slot by slot.
void GenerationSession::lay_out() {
    batch_ = TokenBatch();
    busy_.clear();
    tokens_ = 0;
    for (std::size_t s = 0; s < slots_.size(); ++s) {
        Slot& slot = slots_[s];
        if (!slot.busy) continue;
        const auto length = static_cast<std::int64_t>(slot.pending.size()), base = static_cast<std::int64_t>(s) * limits_.capacity;
        Segment segment;
        segment.begin = tokens_;
        segment.length = length;
        segment.key_begin = base + slot.cached;
        segment.prefix_begin = base;
        segment.prefix_length = segment.first_position = slot.cached;
        batch_.segments.push_back(segment);
        for (std::int64_t i = 0; i < length; ++i) set_token(slot.pending[static_cast<std::size_t>(i)], slot.cached + i, segment.key_begin + i);
        slot.cached += length;
        last_rows_.host.as<std::int32_t>()[busy_.size()] = static_cast<std::int32_t>(tokens_ - 1);
        busy_.push_back(s);
    }
}

void GenerationSession::set_token(std::int32_t id, std::int64_t position, std::int64_t cache_row) {
    ids_.host.as<std::int32_t>()[tokens_] = id;
    positions_.host.as<std::int32_t>()[tokens_] = static_cast<std::int32_t>(position);
    cache_rows_.host.as<std::int32_t>()[tokens_] = static_cast<std::int32_t>(cache_row);
    ++tokens_;
}

// Tokens of nobody, which go to no row of the cache and see the first slot's first key.
void GenerationSession::fill_up(std::int64_t tokens) {
    while (tokens_ < tokens) {
        Segment segment;
        segment.begin = tokens_;
        segment.length = 1;
        batch_.segments.push_back(segment);
        last_rows_.host.as<std::int32_t>()[tokens_] = static_cast<std::int32_t>(tokens_);
        set_token(0, 0, static_cast<std::int64_t>(slots_.size()) * limits_.capacity);
    }
}

void GenerationSession::take(Slot& slot, const float* logits, const Told& told) {
    const Span<const float> row(logits, static_cast<std::size_t>(decoder_.config().vocab_size));
    if (!std::all_of(row.begin(), row.end(), [](float value) { return std::isfinite(value); })) {
        slot.made.failure = fmt::format("prompt {} has logits that are not finite after {} tokens: the weights or the adapter are damaged",
                                        slot.row.key + 1, slot.cached);
        told(slot.row.key, slot.made, true);
        slot = {};
        return;
    }
    const float u = uniform(slot.row.sampling.seed, slot.row.name, static_cast<std::uint64_t>(slot.cached));
    const std::int32_t token = pick_token(row, slot.row.sampling, u);
    Generated& made = slot.made;
    made.ended = std::find(end_ids_.begin(), end_ids_.end(), token) != end_ids_.end();
    if (!made.ended) made.ids.push_back(token);
    const bool last = made.ended || static_cast<std::int64_t>(made.ids.size()) >= slot.row.max_new_tokens;
    const bool goes_on = told(slot.row.key, made, last);
    if (last || !goes_on) slot = {};
    else slot.pending = {token};
}

}  // namespace temper
