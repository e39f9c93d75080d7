// Batched generation over a KV cache with continuous admission: a finished row's slot goes to the next prompt at once. By the row law
// a row's tokens do not depend on its neighbours, on the batch size or on the order of admission.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/decoder.h"

namespace temper {

struct Generated {
    std::vector<std::int32_t> ids;  // without the end token
    bool ended = false;             // an end token was produced, not the limit reached
};

struct GenerateSettings {
    std::int64_t max_new_tokens = 256;
    double temperature = 0.0;  // 0: greedy, the first largest logit
    std::int64_t top_k = 0;    // 0: all
    double top_p = 1.0;
    std::uint64_t seed = 42;               // sampling draws are a function of (seed, row, position)
    std::int64_t slots = 32;               // rows decoded together
    std::int64_t prefill_tokens = 2048;    // prompt tokens taken in one pass
    std::vector<std::uint64_t> row_names;  // what stands for a row in its draws; empty: its number
    // Asked after every token of a row: whether that was its last one.
    std::function<bool(std::size_t row, const std::vector<std::int32_t>& ids)> stop;
    std::function<void(std::size_t row, const Generated&)> finished;  // told of a row that is done
};

// usage Error when a prompt is empty or longer than the model's positions. progress gets (rows finished, tokens made so far).
std::vector<Generated> generate(const Decoder& decoder, const std::vector<std::vector<std::int32_t>>& prompts,
                                const std::vector<std::int32_t>& end_ids, const GenerateSettings& settings,
                                const std::function<void(std::int64_t, std::int64_t)>& progress);

// The next token of one row of logits: greedy at temperature 0, otherwise top-k, then top-p, then a draw u in [0, 1).
std::int32_t pick_token(Span<const float> logits, const GenerateSettings& settings, float u);

}  // namespace temper
