#include "io/http/chat_settings.h"

#include "io/environment.h"
#include "io/jsonl.h"

namespace temper {

const TokenPrice* price_of(const std::vector<TokenPrice>& prices, const std::string& model) {
    for (const TokenPrice& price : prices)
        if (price.model == model) return &price;
    return nullptr;
}

ChatEndpoint chat_endpoint(const EndpointSettings& settings) {
    ChatEndpoint endpoint;
    endpoint.base_url = settings.base_url;
    endpoint.model = settings.model;
    endpoint.api_key = environment_secret(settings.api_key_env, settings.base_url);
    endpoint.temperature = settings.temperature;
    endpoint.max_tokens = settings.max_tokens;
    endpoint.parameters = settings.parameters;
    endpoint.json_mode = settings.json_mode;
    endpoint.timeout = settings.timeout;
    endpoint.retries.attempts = static_cast<int>(settings.attempts);
    endpoint.retries.longest_asked = settings.longest_wait;
    return endpoint;
}

Json deciding_settings(const EndpointSettings& settings) {
    EndpointSettings copy = settings;  // fields are bound to a value that they could change
    Fields fields;
    describe(fields, copy);
    Json json = settings_json(fields);
    for (const char* name : {"api_key_env", "timeout", "requests_per_second", "concurrency", "attempts", "longest_wait"}) json.erase(name);
    return json;
}

}  // namespace temper
