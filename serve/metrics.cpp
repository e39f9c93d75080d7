#include "serve/metrics.h"

#include <algorithm>

#include <fmt/format.h>

namespace temper {
namespace {

std::string head(const char* name, const char* kind, const char* help) { return fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, kind); }

std::string gauge(const char* name, const char* help, double value) { return head(name, "gauge", help) + fmt::format("{} {}\n", name, value); }

std::string escaped(const std::string& value) {
    std::string text;
    for (const char c : value) {
        if (c == '\n') text += "\\n";
        else if (c == '"' || c == '\\') text += '\\', text += c;
        else text += c;
    }
    return text;
}

}  // namespace

void Histogram::add(double seconds) {
    ++counts_[static_cast<std::size_t>(std::lower_bound(bounds.begin(), bounds.end(), seconds) - bounds.begin())];
    sum_ += seconds;
}

std::string Histogram::text(const std::string& name, const std::string& labels) const {
    std::string text;
    std::uint64_t total = 0;
    const std::string first = labels.empty() ? "" : labels + ",", braces = labels.empty() ? "" : "{" + labels + "}";
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        total += counts_[i];
        const std::string bound = i < bounds.size() ? fmt::format("{}", bounds[i]) : "+Inf";
        text += fmt::format("{}_bucket{{{}le=\"{}\"}} {}\n", name, first, bound, total);
    }
    return text + fmt::format("{}_sum{} {}\n{}_count{} {}\n", name, braces, sum_, name, braces, total);
}

void Metrics::request_done(const std::string& endpoint, int status, double seconds) {
    const std::lock_guard lock(mutex_);
    ++requests_[{endpoint, status}];
    seconds_[endpoint].add(seconds);
}

void Metrics::http_fault(int status) {
    const std::lock_guard lock(mutex_);
    ++requests_[{"http", status}];
}

void Metrics::first_token(double seconds) {
    const std::lock_guard lock(mutex_);
    first_token_.add(seconds);
}

void Metrics::tokens(const std::string& kind, std::int64_t count) {
    const std::lock_guard lock(mutex_);
    tokens_[kind] += count;
}

void Metrics::reload(bool succeeded) {
    const std::lock_guard lock(mutex_);
    ++(succeeded ? reloads_ : failed_reloads_);
}

void Metrics::prompt_reload(bool succeeded) {
    const std::lock_guard lock(mutex_);
    ++(succeeded ? prompt_reloads_ : failed_prompt_reloads_);
}

void Metrics::abandoned() {
    const std::lock_guard lock(mutex_);
    ++abandoned_;
}

std::string Metrics::text(const MetricsNow& now) const {
    const std::lock_guard lock(mutex_);
    std::string text = head("temper_requests_total", "counter", "Requests answered, by endpoint and HTTP status.");
    for (const auto& [key, count] : requests_)
        text += fmt::format("temper_requests_total{{endpoint=\"{}\",status=\"{}\"}} {}\n", key.first, key.second, count);
    text += head("temper_request_seconds", "histogram", "From the whole request to the end of its answer.");
    for (const auto& [endpoint, histogram] : seconds_) text += histogram.text("temper_request_seconds", fmt::format("endpoint=\"{}\"", endpoint));
    text += head("temper_time_to_first_token_seconds", "histogram", "From the whole request to the first token, waiting included.") +
            first_token_.text("temper_time_to_first_token_seconds", "");
    text += head("temper_tokens_total", "counter", "Tokens of prompts, of answers, and of texts embedded.");
    for (const auto& [kind, count] : tokens_) text += fmt::format("temper_tokens_total{{kind=\"{}\"}} {}\n", kind, count);
    text += head("temper_requests_abandoned_total", "counter", "Requests whose client went before the end of the answer.") +
            fmt::format("temper_requests_abandoned_total {}\n", abandoned_);
    text += head("temper_reloads_total", "counter", "New versions loaded because the registry's alias moved, by outcome.") +
            fmt::format("temper_reloads_total{{outcome=\"done\"}} {}\ntemper_reloads_total{{outcome=\"failed\"}} {}\n", reloads_, failed_reloads_);
    text += gauge("temper_queue_depth", "Generation requests that wait for a slot.", static_cast<double>(now.waiting));
    text += gauge("temper_running_requests", "Generation requests in a slot.", static_cast<double>(now.running));
    text += gauge("temper_connections", "Open connections.", static_cast<double>(now.connections));
    text +=
        gauge("temper_model_versions_loaded", "Versions in memory: 2 while an old one answers its last requests.", static_cast<double>(now.versions));
    text += head("temper_model_info", "gauge", "The models that are served.") +
            fmt::format("temper_model_info{{model=\"{}\",version=\"{}\",adapter_sha256=\"{}\",embedding_model=\"{}\"}} 1\n", escaped(now.model),
                        now.version, now.adapter_sha256, escaped(now.embedding_model));
    if (!now.prompt.empty()) {
        text += head("temper_system_prompt_info", "gauge", "The prompt of chats that bring no system message.") +
                fmt::format("temper_system_prompt_info{{name=\"{}\",version=\"{}\",sha256=\"{}\"}} 1\n", escaped(now.prompt), now.prompt_version,
                            now.prompt_sha256);
        text += head("temper_prompt_reloads_total", "counter", "Changes of the system prompt because its alias moved, by outcome.") +
                fmt::format("temper_prompt_reloads_total{{outcome=\"done\"}} {}\ntemper_prompt_reloads_total{{outcome=\"failed\"}} {}\n",
                            prompt_reloads_, failed_prompt_reloads_);
    }
    text += gauge("temper_uptime_seconds", "Since the process began.", now.uptime_seconds);
    text += gauge("temper_peak_memory_bytes", "Largest resident set so far.", static_cast<double>(now.peak_memory_bytes));
    return text;
}

}  // namespace temper
