#include "model/generate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/random.h"
#include "kernels/staged.h"

namespace temper {
namespace {

struct Slot {
    std::int64_t row = -1;              // prompt index, -1 when free
    std::int64_t cached = 0;            // tokens in the cache
    std::vector<std::int32_t> pending;  // tokens to run next: the prompt, then one at a time
};

class Session {
  public:
    Session(const Decoder& decoder, const std::vector<std::vector<std::int32_t>>& prompts, const std::vector<std::int32_t>& end_ids,
            const GenerateSettings& settings)
        : decoder_(decoder),
          prompts_(prompts),
          end_ids_(end_ids),
          settings_(settings),
          slots_(static_cast<std::size_t>(std::min<std::int64_t>(settings.slots, static_cast<std::int64_t>(prompts.size())))),
          capacity_(longest_prompt() + settings.max_new_tokens),
          rows_(decoder.stream().keeps_graphs() ? rows_of_slots(slots_.size()) : static_cast<std::int64_t>(slots_.size())),
          pass_tokens_(std::max(settings.prefill_tokens, longest_prompt()) + rows_),
          cache_(decoder.stream().device(), decoder.config(), decoder.dtype(), static_cast<std::int64_t>(slots_.size()), capacity_),
          activations_(decoder.stream().device(), decoder.config(), LoraLayout{}, decoder.dtype(), pass_tokens_, Activations::Keep::nothing),
          arena_(decoder.stream().device()),
          results_(prompts.size()) {
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

    std::vector<Generated> run(const std::function<void(std::int64_t, std::int64_t)>& progress) {
        while (finished_ < static_cast<std::int64_t>(prompts_.size())) {
            admit();
            pass();
            if (progress) progress(finished_, made_);
        }
        return std::move(results_);
    }

  private:
    std::int64_t longest_prompt() const {
        std::size_t longest = 0;
        for (const auto& prompt : prompts_) longest = std::max(longest, prompt.size());
        return static_cast<std::int64_t>(longest);
    }

    // Free slots take the next prompts as long as the pass has room for them.
    void admit() {
        std::int64_t room = pass_tokens_;
        for (const Slot& slot : slots_) room -= static_cast<std::int64_t>(slot.pending.size());
        for (Slot& slot : slots_) {
            if (slot.row >= 0 || next_ >= prompts_.size()) continue;
            const auto& prompt = prompts_[next_];
            if (static_cast<std::int64_t>(prompt.size()) > room) return;
            room -= static_cast<std::int64_t>(prompt.size());
            slot = {static_cast<std::int64_t>(next_), 0, prompt};
            ++next_;
        }
    }

    // Runs every pending token and takes one new token a busy slot.
    void pass() {
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
        for (std::size_t i = 0; i < busy_.size(); ++i) take(slots_[busy_[i]], logits_.host.row<float>(static_cast<std::int64_t>(i)));
    }

    // The next power of two: of so few rows a pass costs about the same, whatever their number.
    static std::int64_t rows_of_slots(std::size_t slots) {
        std::int64_t rows = 1;
        while (rows < static_cast<std::int64_t>(slots)) rows *= 2;
        return rows;
    }

    // Pending tokens slot by slot.
    void lay_out() {
        batch_ = TokenBatch();
        busy_.clear();
        tokens_ = 0;
        for (std::size_t s = 0; s < slots_.size(); ++s) {
            Slot& slot = slots_[s];
            if (slot.row < 0) continue;
            const auto length = static_cast<std::int64_t>(slot.pending.size()), base = static_cast<std::int64_t>(s) * capacity_;
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

    void set_token(std::int32_t id, std::int64_t position, std::int64_t cache_row) {
        ids_.host.as<std::int32_t>()[tokens_] = id;
        positions_.host.as<std::int32_t>()[tokens_] = static_cast<std::int32_t>(position);
        cache_rows_.host.as<std::int32_t>()[tokens_] = static_cast<std::int32_t>(cache_row);
        ++tokens_;
    }

    // Tokens of nobody, which go to no row of the cache and see the first slot's first key.
    void fill_up(std::int64_t tokens) {
        while (tokens_ < tokens) {
            Segment segment;
            segment.begin = tokens_;
            segment.length = 1;
            batch_.segments.push_back(segment);
            last_rows_.host.as<std::int32_t>()[tokens_] = static_cast<std::int32_t>(tokens_);
            set_token(0, 0, static_cast<std::int64_t>(slots_.size()) * capacity_);
        }
    }

    void take(Slot& slot, const float* logits) {
        const Span<const float> row(logits, static_cast<std::size_t>(decoder_.config().vocab_size));
        const auto number = static_cast<std::size_t>(slot.row);
        const std::uint64_t name = settings_.row_names.empty() ? number : settings_.row_names[number];
        const float u = uniform(settings_.seed, name, static_cast<std::uint64_t>(slot.cached));
        if (!std::all_of(row.begin(), row.end(), [](float value) { return std::isfinite(value); }))
            throw_error(ExitCode::non_finite,
                        "generate: prompt {} has logits that are not finite after {} tokens: the weights or the adapter are damaged", slot.row + 1,
                        slot.cached);
        const std::int32_t token = pick_token(row, settings_, u);
        Generated& result = results_[number];
        ++made_;
        result.ended = std::find(end_ids_.begin(), end_ids_.end(), token) != end_ids_.end();
        if (!result.ended) result.ids.push_back(token);
        const bool stopped = !result.ended && settings_.stop && settings_.stop(number, result.ids);
        if (result.ended || stopped || static_cast<std::int64_t>(result.ids.size()) >= settings_.max_new_tokens) {
            if (settings_.finished) settings_.finished(number, result);
            slot = {};
            ++finished_;
        } else {
            slot.pending = {token};
        }
    }

    const Decoder& decoder_;
    const std::vector<std::vector<std::int32_t>>& prompts_;
    const std::vector<std::int32_t>& end_ids_;
    GenerateSettings settings_;
    std::vector<Slot> slots_;
    std::int64_t capacity_, rows_, pass_tokens_;
    KvCache cache_;
    Activations activations_;
    StagedArena arena_;
    Staged ids_, positions_, cache_rows_, last_rows_, logits_;
    View gathered_;
    TokenBatch batch_;  // of the pass
    std::vector<std::size_t> busy_;
    std::int64_t tokens_ = 0;
    std::vector<Generated> results_;
    std::size_t next_ = 0;
    std::int64_t finished_ = 0, made_ = 0;
};

}  // namespace

std::int32_t pick_token(Span<const float> logits, const GenerateSettings& settings, float u) {
    if (settings.temperature <= 0.0) return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    std::vector<std::int32_t> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    const auto larger = [&](std::int32_t a, std::int32_t b) {
        const float x = logits[static_cast<std::size_t>(a)], y = logits[static_cast<std::size_t>(b)];
        return x > y || (x == y && a < b);
    };
    const std::size_t kept = settings.top_k > 0 ? std::min(order.size(), static_cast<std::size_t>(settings.top_k)) : order.size();
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(), larger);
    std::vector<double> weights(kept);
    double total = 0.0;
    const double largest = static_cast<double>(logits[static_cast<std::size_t>(order[0])]);
    for (std::size_t i = 0; i < kept; ++i) {
        weights[i] = std::exp((static_cast<double>(logits[static_cast<std::size_t>(order[i])]) - largest) / settings.temperature);
        total += weights[i];
    }
    // top-p: the smallest set of the likeliest tokens whose probabilities reach p.
    double inside = 0.0;
    std::size_t count = 0;
    while (count < kept && (count == 0 || inside < settings.top_p * total)) inside += weights[count++];
    double left = static_cast<double>(u) * inside;
    for (std::size_t i = 0; i < count; ++i) {
        left -= weights[i];
        if (left < 0.0) return order[i];
    }
    return order[count - 1];
}

std::vector<Generated> generate(const Decoder& decoder, const std::vector<std::vector<std::int32_t>>& prompts,
                                const std::vector<std::int32_t>& end_ids, const GenerateSettings& settings,
                                const std::function<void(std::int64_t, std::int64_t)>& progress) {
    if (prompts.empty()) return {};
    if (settings.max_new_tokens < 1 || settings.slots < 1) throw_error(ExitCode::usage, "generate: max_new_tokens and slots must be at least 1");
    for (std::size_t i = 0; i < prompts.size(); ++i)
        if (prompts[i].empty()) throw_error(ExitCode::bad_data, "generate: prompt {} has no token", i + 1);
    const std::int64_t vocabulary = decoder.config().vocab_size;
    for (std::size_t i = 0; i < prompts.size(); ++i)
        for (const std::int32_t id : prompts[i])
            if (id < 0 || id >= vocabulary)
                throw_error(ExitCode::bad_data, "generate: prompt {} has token {}, the model has {}: the tokenizer is of another model", i + 1, id,
                            vocabulary);
    return Session(decoder, prompts, end_ids, settings).run(progress);
}

}  // namespace temper
