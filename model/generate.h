// Answers to a list of prompts, decoded together: a finished row's slot goes to the next prompt at once.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/generation_session.h"

namespace temper {

struct GenerateSettings : Sampling {
    std::int64_t max_new_tokens = 256;
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

}  // namespace temper
