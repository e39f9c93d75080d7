#include "runs/mlflow_rest.h"

#include <cstdlib>

#include "io/http_retry.h"
#include "kernels/error.h"
#include "runs/python_json.h"

namespace temper {
namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

std::string base64(const std::string& text) {
    static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += 3) {
        unsigned bits = 0;
        for (std::size_t k = 0; k < 3; ++k) bits = bits << 8 | (i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0u);
        for (std::size_t k = 0; k < 4; ++k) out += i + k <= text.size() ? digits[bits >> (18 - 6 * k) & 63] : '=';
    }
    return out;
}

// The object of an answer; none for what the server does not have.
std::optional<Json> object_of(const HttpResponse& response, const std::string& shown) {
    Json answer;
    try {
        answer = parse_python_json(response.body, shown);
    } catch (const Error&) {
        answer = nullptr;
    }
    const Json code = answer.is_object() ? answer.value("error_code", Json()) : Json();
    if (code == "RESOURCE_DOES_NOT_EXIST") return std::nullopt;
    if (response.status >= 200 && response.status < 300 && answer.is_object()) return answer;
    const Json message = answer.is_object() ? answer.value("message", Json()) : Json();
    throw_error(ExitCode::io_error, "{}: status {}{}", shown, response.status,
                message.is_string() ? ": " + message.get<std::string>() : ", and no answer of MLflow's; is MLFLOW_TRACKING_URI the right server?");
}

}  // namespace

MlflowRest::MlflowRest(std::string url) : url_(std::move(url)) {
    while (url_.ends_with('/')) url_.pop_back();
    if (const std::string user = environment("MLFLOW_TRACKING_USERNAME"); !user.empty())
        authorization_ = "Basic " + base64(user + ":" + environment("MLFLOW_TRACKING_PASSWORD"));
    else if (const std::string token = environment("MLFLOW_TRACKING_TOKEN"); !token.empty()) authorization_ = "Bearer " + token;
}

HttpRequest MlflowRest::request(const std::string& method, const std::string& path) const {
    HttpRequest request;
    request.method = method;
    request.url = url_ + "/api/2.0/mlflow/" + path;
    if (!authorization_.empty()) request.headers.emplace_back("Authorization", authorization_);
    request.timeout = 30;
    return request;
}

std::optional<Json> MlflowRest::find(const std::string& path, const Query& query) {
    std::string asked = path;
    for (std::size_t i = 0; i < query.size(); ++i) asked += fmt::format("{}{}={}", i == 0 ? '?' : '&', query[i].first, escaped(query[i].second));
    const HttpRequest question = request("GET", asked);
    return object_of(send_with_retries(client_, question), shown_url(question.url));
}

Json MlflowRest::get(const std::string& path, const Query& query) {
    if (auto found = find(path, query)) return *found;
    throw_error(ExitCode::missing_input, "{}: {} has no {}", shown(), path, query.empty() ? "such thing" : query.front().second);
}

Json MlflowRest::post(const std::string& path, const Json& body) {
    HttpRequest question = request("POST", path);
    question.headers.emplace_back("Content-Type", "application/json");
    question.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (auto answer = object_of(client_.send(question), shown_url(question.url))) return *answer;
    throw_error(ExitCode::missing_input, "{}: {}: the server does not have what this names", shown(), path);
}

}  // namespace temper
