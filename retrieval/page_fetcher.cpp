#include "retrieval/page_fetcher.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <thread>

#include "io/http/http_retry.h"
#include "io/log.h"
#include "io/progress.h"

namespace temper {
namespace {

constexpr int most_redirects = 5;
constexpr double longest_crawl_delay = 60;  // seconds; a host that asks for more is asked this rarely

struct Stopped {};

std::string server_error(const HttpResponse& response) { return fmt::format("status {}", response.status); }

// Where an answer sends its reader; nothing where it stands for itself.
std::optional<std::string> redirect_of(const HttpResponse& response) {
    if (response.status < 301 || response.status > 308 || response.status == 304) return std::nullopt;
    return response.header("location");
}

}  // namespace

PageFetcher::PageFetcher(const FetchConfig& config, std::size_t max_bytes, PageCache cache, std::function<bool()> stop)
    : config_(config), max_bytes_(max_bytes), cache_(std::move(cache)), stop_(std::move(stop)) {}

PageFetcher::Host& PageFetcher::host_of(const Url& url) { return hosts_[url.origin]; }

void PageFetcher::wait_for(Host& host) {
    while (true) {
        if (stop_()) throw Stopped();
        const double left = host.next - Progress::steady_seconds();
        if (left <= 0) break;
        std::this_thread::sleep_for(std::chrono::duration<double>(std::min(left, 0.2)));
    }
    const double asked = host.robots && host.robots->crawl_delay() ? std::min(*host.robots->crawl_delay(), longest_crawl_delay) : 0.0;
    host.next = Progress::steady_seconds() + std::max(config_.seconds_between, asked);
}

HttpResponse PageFetcher::send(const Url& url, const std::optional<CachedPage>& cached) {
    Host& host = host_of(url);
    wait_for(host);
    HttpRequest request;
    request.url = url.text;
    request.user_agent = config_.user_agent;
    request.timeout = static_cast<double>(config_.timeout_seconds);
    request.max_bytes = max_bytes_;
    request.max_redirects = 0;  // each one is looked at, and waits for its host
    request.public_only = named_.count(url.host) == 0;
    request.cancelled = stop_;
    if (cached && !cached->etag.empty()) request.headers.emplace_back("If-None-Match", cached->etag);
    if (cached && !cached->last_modified.empty()) request.headers.emplace_back("If-Modified-Since", cached->last_modified);
    RetryPolicy retries;
    retries.attempts = static_cast<int>(config_.attempts);
    retries.first_wait = std::max(0.5, config_.seconds_between);
    retries.before_attempt = [&] { wait_for(host); };
    try {
        HttpResponse response = send_with_retries(client_, request, retries);
        if (stop_()) throw Stopped();
        return response;
    } catch (const HttpError&) {
        if (stop_()) throw Stopped();
        throw;
    }
}

HttpResponse PageFetcher::robots_file(const Url& url) {
    Url at{url.origin + "/robots.txt", url.origin, "/robots.txt", url.host};
    for (int redirects = 0; redirects <= most_redirects; ++redirects) {
        HttpResponse response = send(at, std::nullopt);
        const std::optional<std::string> location = redirect_of(response);
        if (!location) return response;
        const std::optional<Url> next = resolve_url(at, *location);
        if (!next) throw HttpError(fmt::format("GET {}: it leads to {}, which is no http or https URL", at.text, shown_url(*location)), false);
        at = *next;
    }
    throw HttpError(fmt::format("GET {}/robots.txt: more than {} redirects", url.origin, most_redirects), false);
}

// RFC 9309: no such file allows all, a server in trouble nothing.
void PageFetcher::ask_robots(const Url& url, Host& host) {
    if (host.robots || host.unreachable) return;
    if (!config_.robots) {
        host.robots.emplace("", config_.user_agent);
        return;
    }
    try {
        const HttpResponse response = robots_file(url);
        if (response.status >= 500 || response.status == 429) host.unreachable = true;
        else host.robots.emplace(response.status < 300 ? response.body : "", config_.user_agent);
    } catch (const HttpError& error) {
        log_warning("{}", error.what());
        host.unreachable = true;
    }
}

FetchOutcome PageFetcher::keep(const HttpResponse& response, const Url& at, const std::string& url, std::optional<CachedPage> cached) {
    const auto now = static_cast<std::int64_t>(std::time(nullptr));
    if (response.status == 304 && cached) {
        cached->fetched = now;
        cache_.touch(*cached);
        return {true, ""};
    }
    if (response.status == 200) {
        const auto header = [&](const char* name) { return response.header(name).value_or(""); };
        cache_.save({url, at.text, header("content-type"), header("etag"), header("last-modified"), now, response.body});
        return {true, ""};
    }
    if (response.status >= 500 || response.status == 429) return {cached.has_value(), server_error(response)};
    cache_.remove(url);
    return {false, server_error(response)};
}

FetchOutcome PageFetcher::follow(const std::string& url, std::optional<CachedPage> cached) {
    std::optional<Url> at = parse_url(url);
    for (int redirects = 0; redirects <= most_redirects; ++redirects) {
        if (!at) return {false, "no http or https URL"};
        Host& host = host_of(*at);
        ask_robots(*at, host);
        if (host.unreachable) return {cached.has_value(), "robots.txt cannot be had"};
        if (!host.robots->allows(at->target)) return {false, "robots.txt"};
        const HttpResponse response = send(*at, cached);
        const std::optional<std::string> location = redirect_of(response);
        if (!location) return keep(response, *at, url, std::move(cached));
        at = resolve_url(*at, *location);
    }
    return {false, "too many redirects"};
}

FetchOutcome PageFetcher::fetch_one(const std::string& url) {
    const std::optional<CachedPage> cached = cache_.find(url);
    const std::int64_t age = cached ? static_cast<std::int64_t>(std::time(nullptr)) - cached->fetched : -1;  // below 0 also where the clock was ahead
    if (age >= 0 && age < config_.fresh_seconds) return {true, ""};
    try {
        return follow(url, cached);
    } catch (const HttpError& error) {
        log_warning("{}{}", error.what(), cached ? "; the page is taken as it was" : "");
        return {cached.has_value(), error.what()};
    }
}

std::vector<FetchOutcome> PageFetcher::fetch(const std::vector<std::string>& urls) {
    std::vector<FetchOutcome> outcomes(urls.size());
    std::map<std::string, std::vector<std::size_t>> waiting;  // origin -> its URLs, the next one last
    for (std::size_t i = urls.size(); i-- > 0;) {
        const std::optional<Url> url = parse_url(urls[i]);
        waiting[url ? url->origin : ""].push_back(i);
        if (url) named_.insert(url->host);
    }
    Progress progress("pages", static_cast<std::int64_t>(urls.size()));
    std::int64_t done = 0;
    while (!waiting.empty()) {
        const auto next = std::min_element(waiting.begin(), waiting.end(),
                                           [&](const auto& a, const auto& b) { return hosts_[a.first].next < hosts_[b.first].next; });
        const std::size_t i = next->second.back();
        try {
            outcomes[i] = fetch_one(urls[i]);
        } catch (const Stopped&) {
            return {};
        }
        next->second.pop_back();
        if (next->second.empty()) waiting.erase(next);
        progress.update(++done, 0);
    }
    return outcomes;
}

}  // namespace temper
