// What /metrics tells, in Prometheus' text format.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace temper {

// Seconds, by upper bounds.
class Histogram {
  public:
    void add(double seconds);
    // The lines of one histogram; `labels` as in {endpoint="chat"}, or empty.
    std::string text(const std::string& name, const std::string& labels) const;

  private:
    static constexpr std::array<double, 14> bounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};
    std::array<std::uint64_t, bounds.size() + 1> counts_{};
    double sum_ = 0;
};

// What is read when somebody asks.
struct MetricsNow {
    std::int64_t waiting = 0, running = 0, versions = 0, connections = 0;
    std::string model, embedding_model, adapter_sha256;
    std::int64_t version = 0;
    std::string prompt, prompt_sha256;  // the system prompt that is given; empty where none is
    std::int64_t prompt_version = 0;
    double uptime_seconds = 0;
    std::int64_t peak_memory_bytes = 0;
};

// Thread-safe.
class Metrics {
  public:
    void request_done(const std::string& endpoint, int status, double seconds);
    void http_fault(int status);  // no request of any endpoint came of it
    void first_token(double seconds);
    void tokens(const std::string& kind, std::int64_t count);  // prompt, generated, embedded
    void reload(bool succeeded);
    void prompt_reload(bool succeeded);
    void abandoned();  // the client went before its answer
    std::string text(const MetricsNow& now) const;

  private:
    mutable std::mutex mutex_;
    std::map<std::pair<std::string, int>, std::uint64_t> requests_;
    std::map<std::string, Histogram> seconds_;
    Histogram first_token_;
    std::map<std::string, std::int64_t> tokens_{{"embedded", 0}, {"generated", 0}, {"prompt", 0}};
    std::uint64_t reloads_ = 0, failed_reloads_ = 0, prompt_reloads_ = 0, failed_prompt_reloads_ = 0, abandoned_ = 0;
};

}  // namespace temper
