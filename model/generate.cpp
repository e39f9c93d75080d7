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
          pass_tokens_(std::max(settings.prefill_tokens, longest_prompt()) + static_cast<std::int64_t>(slots_.size())),
          cache_(decoder.stream().device(), decoder.config(), decoder.dtype(), static_cast<std::int64_t>(slots_.size()), capacity_),
          activations_(decoder.stream().device(), decoder.config(), LoraLayout{}, decoder.dtype(), pass_tokens_, Activations::Keep::nothing),
          arena_(decoder.stream().device()),
          results_(prompts.size()) {
        const auto slots = static_cast<std::int64_t>(slots_.size());
        const auto cut = [&](StagedArena& arena) {
            ids_ = arena.take_staged(DType::i32, {pass_tokens_});
            positions_ = arena.take_staged(DType::i32, {pass_tokens_});
            last_rows_ = arena.take_staged(DType::i32, {slots});
            gathered_ = arena.take(decoder.dtype(), {slots, decoder.config().hidden_size});
            logits_ = arena.take_staged(DType::f32, {slots, decoder.config().vocab_size});
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
        TokenBatch batch;
        std::vector<std::size_t> busy;
        std::int64_t at = 0;
        for (std::size_t s = 0; s < slots_.size(); ++s) {
            Slot& slot = slots_[s];
            if (slot.row < 0) continue;
            const auto length = static_cast<std::int64_t>(slot.pending.size()), base = static_cast<std::int64_t>(s) * capacity_;
            Segment segment;
            segment.begin = at;
            segment.length = length;
            segment.key_begin = base + slot.cached;
            segment.prefix_begin = base;
            segment.prefix_length = segment.first_position = slot.cached;
            batch.segments.push_back(segment);
            for (std::int64_t i = 0; i < length; ++i) {
                ids_.host.as<std::int32_t>()[at + i] = slot.pending[static_cast<std::size_t>(i)];
                positions_.host.as<std::int32_t>()[at + i] = static_cast<std::int32_t>(slot.cached + i);
            }
            at += length;
            slot.cached += length;
            last_rows_.host.as<std::int32_t>()[busy.size()] = static_cast<std::int32_t>(at - 1);
            busy.push_back(s);
        }
        const auto count = static_cast<std::int64_t>(busy.size());
        Stream& stream = decoder_.stream();
        for (const Staged* tokens : {&ids_, &positions_}) send(stream, tokens->rows(0, at));
        send(stream, last_rows_.rows(0, count));
        batch.ids = ids_.device.rows(0, at);
        batch.positions = positions_.device.rows(0, at);
        const View hidden = decoder_.forward_cached(batch, activations_, cache_);
        decoder_.logits(logits_.device.rows(0, count), hidden, last_rows_.device.rows(0, count), gathered_.rows(0, count));
        fetch(stream, logits_.rows(0, count));
        stream.synchronize();
        for (std::size_t i = 0; i < busy.size(); ++i) take(slots_[busy[i]], logits_.host.row<float>(static_cast<std::int64_t>(i)));
    }

    void take(Slot& slot, const float* logits) {
        const Span<const float> row(logits, static_cast<std::size_t>(decoder_.config().vocab_size));
        const float u = uniform(settings_.seed, static_cast<std::uint64_t>(slot.row), static_cast<std::uint64_t>(slot.cached));
        if (!std::all_of(row.begin(), row.end(), [](float value) { return std::isfinite(value); }))
            throw_error(ExitCode::non_finite,
                        "generate: prompt {} has logits that are not finite after {} tokens: the weights or the adapter are damaged", slot.row + 1,
                        slot.cached);
        const std::int32_t token = pick_token(row, settings_, u);
        Generated& result = results_[static_cast<std::size_t>(slot.row)];
        ++made_;
        result.ended = std::find(end_ids_.begin(), end_ids_.end(), token) != end_ids_.end();
        if (!result.ended) result.ids.push_back(token);
        if (result.ended || static_cast<std::int64_t>(result.ids.size()) >= settings_.max_new_tokens) {
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
    std::int64_t capacity_, pass_tokens_;
    KvCache cache_;
    Activations activations_;
    StagedArena arena_;
    Staged ids_, positions_, last_rows_, logits_;
    View gathered_;
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
