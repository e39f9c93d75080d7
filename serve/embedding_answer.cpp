#include "serve/embedding_answer.h"

namespace temper {

ServedVectors::ServedVectors(ServedCall call, EmbeddingRequest request, const EmbeddingService& service, std::int64_t dimensions, std::int64_t tokens,
                             Metrics& metrics)
    : call_(std::move(call)), request_(std::move(request)), service_(service), dimensions_(dimensions), tokens_(tokens), metrics_(metrics) {}

bool ServedVectors::wanted() {
    if (call_.gone()) return false;
    if (!call_.late()) return true;
    call_.fail(too_late());
    return false;
}

void ServedVectors::done(const float* vectors) {
    Json data = Json::array();
    for (std::size_t i = 0; i < request_.input.size(); ++i, vectors += service_.dimensions()) {
        const std::vector<float> vector = service_.shortened(vectors, dimensions_);
        Json value = request_.base64 ? Json(base64_of(vector.data(), vector.size())) : Json(vector);
        data.push_back({{"object", "embedding"}, {"index", i}, {"embedding", std::move(value)}});
    }
    metrics_.tokens("embedded", tokens_);
    call_.answer(200,
                 {{"object", "list"},
                  {"data", std::move(data)},
                  {"model", request_.model},
                  {"usage", {{"prompt_tokens", tokens_}, {"total_tokens", tokens_}}}},
                 fmt::format("{} texts, {} tokens", request_.input.size(), tokens_));
}

}  // namespace temper
