// Requests of /v1/embeddings.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace temper {

struct EmbeddingRequest {
    std::string model;
    std::vector<std::string> input;
    std::optional<std::int64_t> dimensions;
    bool base64 = false;
};

// ApiError 400, as of generation requests.
EmbeddingRequest parse_embedding_request(std::string_view body);

// The little-endian bytes of the numbers, as clients of OpenAI decode them.
std::string base64_of(const float* numbers, std::size_t count);

}  // namespace temper
