#include "io/http/http_retry.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>
#include <curl/curl.h>

namespace temper {
namespace {

void sleep_here(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

double steady_now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// 501 and 505 say that the server will never do what it is asked; others from 500 on, also those that proxies made up (524, 529), that it cannot now.
bool is_worth_repeating(int status) {
    if (status >= 500) return status < 600 && status != 501 && status != 505;
    return status == 408 || status == 425 || status == 429;
}

// Why an answer is worth another attempt; empty: it is not.
std::string failure_of(const HttpResponse& response, const RetryPolicy& policy) {
    if (is_worth_repeating(response.status)) return fmt::format("status {}", response.status);
    return policy.fault && response.status < 400 ? policy.fault(response) : "";
}

// In [0.5, 1): waits of clients that failed together.
double jitter() {
    thread_local std::minstd_rand random{std::random_device{}()};
    return std::uniform_real_distribution<double>(0.5, 1.0)(random);
}

// In short naps, so that a cancelled request is left soon. False when it was.
bool wait_for(double seconds, const HttpRequest& request, const RetryPolicy& policy) {
    constexpr double nap = 0.1;
    for (double left = seconds; left > 0; left -= nap) {
        if (request.cancelled && request.cancelled()) return false;
        const double now = request.cancelled ? std::min(left, nap) : left;
        if (policy.sleep) policy.sleep(now);
        else sleep_here(now);
        if (!request.cancelled) return true;
    }
    return true;
}

}  // namespace

double retry_after(const HttpResponse& response, double unix_now) {
    const auto text = response.header("retry-after");
    if (!text || text->empty()) return 0;
    if (text->find_first_not_of("0123456789") == std::string::npos) return text->size() > 9 ? 1e9 : std::stod(*text);
    const time_t date = curl_getdate(text->c_str(), nullptr);
    return date < 0 ? 0 : std::max(0.0, static_cast<double>(date) - unix_now);
}

HttpResponse send_with_retries(HttpClient& client, const HttpRequest& request, const RetryPolicy& policy) {
    double growing = policy.first_wait;
    for (int attempt = 1;; ++attempt, growing = std::min(growing * 2, policy.longest_wait)) {
        std::string why;
        double wait = growing * jitter();
        try {
            HttpResponse response = client.send(request);
            const std::string failure = failure_of(response, policy);
            if (failure.empty() || attempt >= policy.attempts) return response;
            const double asked = retry_after(response, std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count());
            if (asked > (policy.longest_asked > 0 ? policy.longest_asked : policy.longest_wait)) return response;
            wait = std::max(wait, asked);
            why = fmt::format("{} {}: {}", request.method, shown_url(request.url), failure);
        } catch (const HttpError& error) {
            if (!error.transient() || attempt >= policy.attempts) throw;
            why = error.what();
        }
        if (policy.before_wait) policy.before_wait(why, wait);
        if (!wait_for(wait, request, policy)) throw HttpError(why + "; the wait for another attempt was cancelled", false);
        if (policy.before_attempt) policy.before_attempt();
    }
}

RateLimiter::RateLimiter(double per_second, double burst) : RateLimiter(per_second, burst, {steady_now, sleep_here}) {}

RateLimiter::RateLimiter(double per_second, double burst, Time time)
    : per_second_(per_second), burst_(burst), level_(burst), updated_(time.now()), time_(std::move(time)) {}

void RateLimiter::take(double tokens) {
    if (per_second_ <= 0) return;
    double wait = 0;
    {
        // The level goes below zero: each caller reserves what it takes, and sleeps until that has flowed in.
        const std::lock_guard<std::mutex> lock(mutex_);
        const double now = time_.now();
        level_ = std::min(burst_, level_ + (now - updated_) * per_second_) - tokens;
        updated_ = now;
        wait = -level_ / per_second_;
    }
    if (wait > 0) time_.sleep(wait);
}

}  // namespace temper
