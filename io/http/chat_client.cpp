#include "io/http/chat_client.h"
#include "io/json_text.h"

#include <cmath>

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
    const Json& count = member(member(answer, "usage"), name);
    return count.is_number_integer() ? count.get<std::int64_t>() : 0;
}

// Null for what is none.
Json json_of(const HttpResponse& response) {
    try {
        return parse_json(response.body, "answer");
    } catch (const Error&) {
        return nullptr;
    }
}

// What stands between a model and its client hides some failures behind a 200: a page of a proxy, an answer cut off, an error in place of choices.
std::string passing_fault(const HttpResponse& response) {
    const Json answer = json_of(response);
    if (!answer.is_null() && (member(answer, "error").is_null() || !member(answer, "choices").is_null())) return "";
    return fmt::format("status {}, but {}: {}", response.status, answer.is_null() ? "no JSON" : "an error", said(answer, response.body));
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

HttpRequest ChatClient::request(const std::string& body) const {
    HttpRequest request;
    request.method = "POST";
    request.url = endpoint_.base_url + "/chat/completions";
    request.headers = {{"Content-Type", "application/json"}};
    if (!endpoint_.api_key.empty()) request.headers.emplace_back("Authorization", "Bearer " + endpoint_.api_key);
    request.body = body;
    request.timeout = endpoint_.timeout;
    request.max_redirects = 0;
    return request;
}

ChatAnswer ChatClient::ask(const std::string& body) {
    const HttpRequest asked = request(body);
    RetryPolicy policy = endpoint_.retries;
    policy.before_attempt = [&] { limiter_.take(); };
    policy.fault = [&](const HttpResponse& response) { return hidden(passing_fault(response)); };
    limiter_.take();
    const HttpResponse response = send_with_retries(client_, asked, policy);
    const std::string place = "POST " + shown_url(asked.url);
    const Json answer = json_of(response);
    if (response.status != 200) {
        const std::string message = fmt::format("{}: status {}: {}", place, response.status, hidden(said(answer, response.body)));
        if (response.status == 400 || response.status == 413 || response.status == 422) throw ChatRefused(message);
        throw Error(ExitCode::io_error, message);
    }
    const Json& choices = member(answer, "choices");
    const Json* const choice = choices.is_array() && !choices.empty() ? &choices[0] : nullptr;
    if (choice == nullptr || !member(*choice, "message").is_object())
        throw_error(ExitCode::io_error, "{}: expected choices[0].message, found {}", place, hidden(said(answer, response.body)));
    ChatAnswer result;
    result.content = member_text(choice->at("message"), "content");
    result.finish_reason = member_text(*choice, "finish_reason");
    result.prompt_tokens = tokens(answer, "prompt_tokens");
    result.completion_tokens = tokens(answer, "completion_tokens");
    return result;
}

}  // namespace temper
