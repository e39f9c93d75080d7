// Settings of a language model behind an OpenAI-compatible endpoint, for the configurations of those who ask it.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/http/chat_client.h"
#include "io/settings.h"

namespace temper {

struct EndpointSettings {
    std::string base_url = "https://api.openai.com/v1", model, api_key_env = "OPENAI_API_KEY";
    std::optional<double> temperature;
    std::int64_t max_tokens = 2048;
    std::map<std::string, double> parameters;
    bool json_mode = true;
    double timeout = 120, requests_per_second = 0, longest_wait = 600;
    std::int64_t concurrency = 4, attempts = 5;
};

struct TokenPrice {
    std::string model;
    double input = 0, output = 0;  // of a million tokens
};

template <class Visitor> void describe(Visitor& v, EndpointSettings& endpoint) {
    v("base_url", endpoint.base_url, "Where /chat/completions is.", not_empty());
    v("model", endpoint.model, "Model that is asked.", not_empty());
    v("api_key_env", endpoint.api_key_env, "Environment variable that holds the key; empty: none is sent.");
    v("temperature", endpoint.temperature, "Temperature; null: the endpoint's.", range(0, 2));
    v("max_tokens", endpoint.max_tokens, "The most of an answer; 0: not sent.", at_least(0)).unit("tokens");
    v("parameters", endpoint.parameters, "Further numbers of a request: top_p, seed, max_completion_tokens ...");
    v("json_mode", endpoint.json_mode, "Asks for response_format json_object.");
    v("timeout", endpoint.timeout, "Time that one answer gets.", positive()).unit("seconds");
    v("requests_per_second", endpoint.requests_per_second, "Requests a second at most, repeated ones included; 0: no limit.", at_least(0));
    v("concurrency", endpoint.concurrency, "Requests under way at once.", range(1, 256));
    v("attempts", endpoint.attempts, "Attempts of a request that fails for a while only (429, 5xx, connections).", range(1, 100));
    v("longest_wait", endpoint.longest_wait, "Longest wait that the endpoint may ask for (Retry-After); where it asks for more, the job ends.",
      positive())
        .unit("seconds");
}

template <class Visitor> void describe(Visitor& v, TokenPrice& price) {
    v("model", price.model, "endpoint.model that it is of.", not_empty());
    v("input", price.input, "Price of a million tokens asked.", at_least(0));
    v("output", price.output, "Price of a million tokens answered.", at_least(0));
}

// The price of this model; null where none is listed.
const TokenPrice* price_of(const std::vector<TokenPrice>& prices, const std::string& model);

// With the key that the environment holds: usage where it is not set.
ChatEndpoint chat_endpoint(const EndpointSettings& settings);

// Of these settings what decides an answer: not of the pace, the key and the patience.
Json deciding_settings(const EndpointSettings& settings);

}  // namespace temper
