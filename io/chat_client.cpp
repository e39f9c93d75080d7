#include "io/chat_client.h"
#include "io/json_text.h"

#include <chrono>
#include <cmath>
#include <thread>

namespace temper {
namespace {

// The first of several places where endpoints write why they failed.
std::string said(const Json& answer, const std::string& body) {
    if (answer.is_object() && answer.contains("error")) {
        const Json& error = answer.at("error");
        if (error.is_object() && error.contains("message") && error.at("message").is_string()) return error.at("message").get<std::string>();
        if (error.is_string()) return error.get<std::string>();
    }
    return body.substr(0, 300);
}

std::int64_t tokens(const Json& answer, const char* name) {
    if (!answer.contains("usage") || !answer.at("usage").is_object()) return 0;
    const Json& usage = answer.at("usage");
    return usage.contains(name) && usage.at(name).is_number_integer() ? usage.at(name).get<std::int64_t>() : 0;
}

}  // namespace

ChatClient::ChatClient(ChatEndpoint endpoint, RateLimiter& limiter) : endpoint_(std::move(endpoint)), limiter_(limiter) {
    while (!endpoint_.base_url.empty() && endpoint_.base_url.back() == '/') endpoint_.base_url.pop_back();
}

std::string ChatClient::hidden(std::string text) const {
    if (endpoint_.api_key.empty()) return text;
    for (std::size_t at = text.find(endpoint_.api_key); at != std::string::npos; at = text.find(endpoint_.api_key, at))
        text.replace(at, endpoint_.api_key.size(), "***");
    return text;
}

std::string ChatClient::body(const Json& messages) const {
    Json body = {{"model", endpoint_.model}, {"messages", messages}};
    if (endpoint_.max_tokens > 0) body["max_tokens"] = endpoint_.max_tokens;
    if (endpoint_.temperature) body["temperature"] = *endpoint_.temperature;
    for (const auto& [name, value] : endpoint_.parameters) {
        if (std::trunc(value) == value && std::abs(value) < 1e15) body[name] = static_cast<std::int64_t>(value);
        else body[name] = value;
    }
    if (endpoint_.json_mode) body["response_format"] = {{"type", "json_object"}};
    return json_text(body);
}

ChatAnswer ChatClient::ask(const std::string& body) {
    HttpRequest request;
    request.method = "POST";
    request.url = endpoint_.base_url + "/chat/completions";
    request.headers = {{"Content-Type", "application/json"}};
    if (!endpoint_.api_key.empty()) request.headers.emplace_back("Authorization", "Bearer " + endpoint_.api_key);
    request.body = body;
    request.timeout = endpoint_.timeout;
    request.max_redirects = 0;
    const std::string place = "POST " + shown_url(request.url);
    RetryPolicy policy = endpoint_.retries;
    const auto sleep = policy.sleep;
    policy.sleep = [&](double seconds) {  // ahead of each further attempt
        if (sleep) sleep(seconds);
        else std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
        limiter_.take();
    };
    limiter_.take();
    const HttpResponse response = send_with_retries(client_, request, policy);
    Json answer;
    try {
        answer = parse_json(response.body, place);
    } catch (const Error&) {
        answer = nullptr;  // told below, by what it is
    }
    if (response.status != 200) {
        const std::string message = fmt::format("{}: status {}: {}", place, response.status, hidden(said(answer, response.body)));
        if (response.status == 400 || response.status == 413 || response.status == 422) throw ChatRefused(message);
        throw Error(ExitCode::io_error, message);
    }
    const Json* choice = nullptr;
    if (answer.is_object() && answer.contains("choices") && answer.at("choices").is_array() && !answer.at("choices").empty())
        choice = &answer.at("choices")[0];
    if (choice == nullptr || !choice->is_object() || !choice->contains("message") || !choice->at("message").is_object())
        throw_error(ExitCode::io_error, "{}: expected choices[0].message, found {}", place, hidden(response.body.substr(0, 300)));
    ChatAnswer result;
    const Json& message = choice->at("message");
    if (message.contains("content") && message.at("content").is_string()) result.content = message.at("content").get<std::string>();
    if (choice->contains("finish_reason") && choice->at("finish_reason").is_string())
        result.finish_reason = choice->at("finish_reason").get<std::string>();
    result.prompt_tokens = tokens(answer, "prompt_tokens");
    result.completion_tokens = tokens(answer, "completion_tokens");
    return result;
}

}  // namespace temper
