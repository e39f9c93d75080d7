// Requests of /v1/chat/completions and /v1/completions: read, checked, and in the terms of the model.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/jsonl.h"

namespace temper {

struct GenerationRequest {
    std::string model;
    bool chat = true;
    Json messages;                    // of a chat: {"role", "content"} with texts
    Json variables = Json::object();  // chat_template_kwargs
    std::string given_prompt;         // SHA-256 of the prompt that the server gave it, or empty

    bool brings_system_message() const;
    std::string prompt;  // of a completion
    std::optional<std::int64_t> max_tokens;
    double temperature = 1.0, top_p = 1.0;
    std::int64_t top_k = 0;
    std::optional<std::uint64_t> seed;
    std::vector<std::string> stop;  // at most 4
    bool stream = false, include_usage = false;
};

// ApiError 400 names the field, what was found and what is expected; parameters that are not supported are refused by name.
GenerationRequest parse_chat_request(std::string_view body);
GenerationRequest parse_completion_request(std::string_view body);

}  // namespace temper
