// Questions to a language model behind an OpenAI-compatible endpoint (POST <base_url>/chat/completions), and what they cost.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "io/http/http_retry.h"
#include "io/jsonl.h"

namespace temper {

struct ChatEndpoint {
    std::string base_url = "https://api.openai.com/v1";
    std::string model;
    std::string api_key;  // sent as a bearer token and shown in no message; empty: none is sent
    std::optional<double> temperature;
    std::int64_t max_tokens = 1024;            // 0: not sent
    std::map<std::string, double> parameters;  // further numbers of the request: top_p, seed, max_completion_tokens …
    bool json_mode = true;                     // response_format json_object
    double timeout = 120;                      // seconds, of an answer
    RetryPolicy retries;
};

struct ChatAnswer {
    std::string content, finish_reason;
    std::int64_t prompt_tokens = 0, completion_tokens = 0;  // 0 where the endpoint does not say
};

// The endpoint refuses this question (400, 413, 422): others may be answered.
class ChatRefused : public Error {
  public:
    explicit ChatRefused(const std::string& message) : Error(ExitCode::io_error, message) {}
};

// One thread at a time.
class ChatClient {
  public:
    ChatClient(ChatEndpoint endpoint, RateLimiter& limiter);
    // What is sent: decides the answer, as far as anything does, and holds no key.
    std::string body(const Json& messages) const;
    // Each attempt takes one token of the limiter; a 200 that holds no JSON, or an error in place of choices, is repeated as a 5xx is. io_error names the endpoint and what it said; ChatRefused.
    ChatAnswer ask(const std::string& body);

  private:
    HttpRequest request(const std::string& body) const;
    std::string hidden(std::string text) const;  // without the key
    ChatEndpoint endpoint_;
    RateLimiter& limiter_;
    HttpClient client_;
};

}  // namespace temper
