// Rows decoded together over one KV cache: they come when a slot is free and go when they are done, between passes. By the row law a row's tokens
// do not depend on its neighbours, on the number of slots or on when it came.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/staged.h"
#include "model/decoder.h"
#include "model/sampling.h"

namespace temper {

struct Generated {
    std::vector<std::int32_t> ids;  // without the end token
    bool ended = false;             // an end token was produced, not the limit reached
    std::string failure;            // why there is no next token; empty: nothing failed
};

struct GenerationRow {
    std::uint64_t key = 0;  // the caller's name of it
    std::vector<std::int32_t> prompt;
    std::int64_t max_new_tokens = 256;
    Sampling sampling;
    std::uint64_t name = 0;  // what stands for it in its draws
};

class GenerationSession {
  public:
    struct Limits {
        std::int64_t slots = 32;             // rows decoded together
        std::int64_t capacity = 0;           // tokens of a row's prompt and answer
        std::int64_t prefill_tokens = 2048;  // prompt tokens taken in one pass; a longer prompt has a pass of its own
    };
    // The decoder must outlive it.
    GenerationSession(const Decoder& decoder, std::vector<std::int32_t> end_ids, Limits limits);
    // Of the memory that it takes beside the decoder's.
    static std::size_t predict_bytes(const Decoder& decoder, const Limits& limits);

    // bad_data for a prompt that is empty, leaves no room for an answer, or has ids that the model does not know.
    void check(std::uint64_t key, Span<const std::int32_t> prompt) const;
    // Takes a row whose prompt passes that check. False, the row as it was, when no slot is free or the next pass has no room for the prompt.
    bool admit(GenerationRow& row);
    bool empty() const { return running() == 0; }
    std::int64_t running() const;
    // Told of every token, or of the end token in its place. `last`: the row is done with it; otherwise false ends the row. A row whose logits are
    // not finite fails: it is done, and the others go on.
    using Told = std::function<bool(std::uint64_t key, const Generated& so_far, bool last)>;
    // One pass: every prompt that waits, and one new token a row.
    void step(const Told& told);

  private:
    struct Slot {
        bool busy = false;
        std::int64_t cached = 0;            // tokens in the cache
        std::vector<std::int32_t> pending;  // tokens to run next: the prompt, then one at a time
        GenerationRow row;                  // without its prompt
        Generated made;
    };
    void lay_out();
    void set_token(std::int32_t id, std::int64_t position, std::int64_t cache_row);
    void fill_up(std::int64_t tokens);
    void take(Slot& slot, const float* logits, const Told& told);

    const Decoder& decoder_;
    std::vector<std::int32_t> end_ids_;
    Limits limits_;
    std::vector<Slot> slots_;
    std::int64_t rows_, pass_tokens_;
    KvCache cache_;
    Activations activations_;
    StagedArena arena_;
    Staged ids_, positions_, cache_rows_, last_rows_, logits_;
    View gathered_;
    TokenBatch batch_;  // of the pass
    std::vector<std::size_t> busy_;
    std::int64_t tokens_ = 0;
};

}  // namespace temper
