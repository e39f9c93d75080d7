#include "runs/trackers/tracker_http.h"

#include <algorithm>
#include <chrono>

#include "io/http/http_retry.h"
#include "runs/attempt.h"
#include "runs/python_json.h"

namespace temper {
namespace {

constexpr double request_seconds = 30, connect_seconds = 5, file_seconds = 3600;
constexpr std::size_t most_answer_bytes = std::size_t(16) << 20;

double unix_seconds() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

// Null for what is no JSON, is nested too deep or ends too soon.
Json parsed(const std::string& body) {
    try {
        return parse_python_json(body, "answer");
    } catch (const Error&) {
        return {};
    }
}

// What a refusal says of itself: MLflow's and ClearML's members, else the beginning of its text.
std::string reason_of(const Json& answer, const std::string& body) {
    if (answer.is_object()) {
        for (const char* name : {"message", "error", "detail"})
            if (answer.contains(name) && answer[name].is_string()) return answer[name].get<std::string>();
        if (answer.contains("meta") && answer["meta"].is_object()) return answer["meta"].value("result_msg", "");
    }
    std::string start = body.substr(0, 120);
    for (char& c : start)
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = ' ';
    return start;
}

}  // namespace

double wait_asked_by(const std::exception& error) {
    const auto* refusal = dynamic_cast<const ServerError*>(&error);
    return refusal != nullptr ? refusal->wait() : 0;
}

Patience patience_of(double seconds, int attempts) {
    const double end = monotonic_seconds() + seconds;
    return {[end] { return monotonic_seconds() >= end; }, [end] { return end - monotonic_seconds(); }, attempts};
}

HttpResponse TrackerHttp::send(const Patience& patience, HttpRequest request) {
    const double left = patience.seconds_left();
    if (patience.cancelled() || left <= 0) throw HttpError(request.method + " " + shown_url(request.url) + ": no time is left", true);
    request.timeout = std::min(request.timeout, left);
    request.connect_timeout = std::min(connect_seconds, left);
    request.max_bytes = most_answer_bytes;
    request.max_redirects = 0;  // a POST that is redirected would become a GET
    request.cancelled = patience.cancelled;
    request.headers.insert(request.headers.end(), headers_.begin(), headers_.end());
    request.ca_file = ca_file_;
    request.verify_tls = verify_tls_;
    RetryPolicy policy;
    policy.attempts = request.method == "GET" ? patience.attempts : 1;
    policy.longest_wait = left;
    HttpResponse response = send_with_retries(client_, request, policy);
    if (response.status >= 200 && response.status < 300) return response;
    const Json answer = parsed(response.body);
    std::string what = fmt::format("{} {}: status {}", request.method, shown_url(request.url), response.status);
    if (response.status >= 300 && response.status < 400) {
        what += ", a redirect to " + shown_url(response.header("location").value_or("nowhere")) + "; name the server's own URL";
    } else if (const std::string reason = reason_of(answer, response.body); !reason.empty()) {
        what += ": " + reason.substr(0, 500);
    }
    throw ServerError(
        what, response.status,
        answer.is_object() && answer.contains("error_code") && answer["error_code"].is_string() ? answer["error_code"].get<std::string>() : "",
        retry_after(response, unix_seconds()));
}

Json TrackerHttp::call(const Patience& patience, const std::string& method, const std::string& url, const std::string& body, Headers more,
                       bool empty_is_fine) {
    HttpRequest request;
    request.method = method;
    request.url = url;
    request.body = body;
    request.timeout = request_seconds;
    request.headers = std::move(more);
    if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
    const HttpResponse response = send(patience, std::move(request));
    if (response.body.empty() && empty_is_fine) return Json::object();
    Json answer = parsed(response.body);
    if (!answer.is_object())
        throw ServerError(fmt::format("{} {}: status {}, but its body is no JSON object: '{}'; is this the right server?", method, shown_url(url),
                                      response.status, reason_of(Json(), response.body)),
                          response.status, "", 0);
    return answer;
}

void TrackerHttp::put_file(const Patience& patience, const std::string& url, const std::filesystem::path& file) {
    HttpRequest request;
    request.method = "PUT";
    request.url = url;
    request.body_file = file;
    request.timeout = file_seconds;
    request.headers.emplace_back("Content-Type", "application/octet-stream");
    send(patience, std::move(request));
}

std::string TrackerHttp::post_file(const Patience& patience, const std::string& url, const std::filesystem::path& file, const std::string& form_name,
                                   Headers more) {
    HttpRequest request;
    request.method = "POST";
    request.url = url;
    request.body_file = file;
    request.form_name = form_name;
    request.timeout = file_seconds;
    request.headers = std::move(more);
    return send(patience, std::move(request)).body;
}

}  // namespace temper
