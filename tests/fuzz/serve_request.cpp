// A line that names the endpoint (chat, completion, anything else: embedding), then the body of a request to it.
#include "serve/embedding_request.h"
#include "serve/generation_request.h"
#include "tests/fuzz/fuzz.h"

namespace {

void check(bool holds) {
    if (!holds) __builtin_trap();
}

// What is accepted is within its bounds.
void check_generation(const temper::GenerationRequest& request) {
    check(request.temperature >= 0 && request.temperature <= 2 && request.top_p >= 0 && request.top_p <= 1 && request.top_k >= 0);
    check(request.max_tokens.value_or(1) >= 1 && request.stop.size() <= 4 && (request.stream || !request.include_usage));
    for (const std::string& stop : request.stop) check(!stop.empty());
    check(!request.chat || !request.messages.empty());
    for (const temper::Json& message : request.messages) check(message.at("role").is_string() && message.at("content").is_string());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace temper;
    return fuzz_one([&] {
        const std::string_view bytes(reinterpret_cast<const char*>(data), size);
        const std::size_t end = std::min(bytes.find('\n'), bytes.size());
        const std::string_view kind = bytes.substr(0, end), body = bytes.substr(std::min(end + 1, bytes.size()));
        if (kind == "chat") return check_generation(parse_chat_request(body));
        if (kind == "completion") return check_generation(parse_completion_request(body));
        const EmbeddingRequest request = parse_embedding_request(body);
        check(!request.input.empty() && request.input.size() <= 2048 && request.dimensions.value_or(1) >= 1);
    });
}
