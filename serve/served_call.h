// A request on its way to its answer, with what is told of it: a line of log, and the metrics.
#pragma once
#include <chrono>
#include <memory>
#include <string>

#include "io/jsonl.h"
#include "serve/api_error.h"
#include "serve/http_server.h"
#include "serve/metrics.h"

namespace temper {

class ServedCall {
  public:
    // answer_seconds: until it must be answered.
    ServedCall(std::shared_ptr<HttpExchange> exchange, std::string endpoint, double answer_seconds, Metrics& metrics)
        : exchange_(std::move(exchange)), endpoint_(std::move(endpoint)), answer_seconds_(answer_seconds), metrics_(&metrics) {}

    HttpExchange& exchange() const { return *exchange_; }
    double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count(); }
    bool late() const { return seconds() > answer_seconds_; }
    // Whether nobody reads the answer any more; told where that is so.
    bool gone() const;
    // The whole answer.
    void answer(int status, const Json& body, const std::string& note = "") const;
    void fail(const ApiError& error) const { answer(error.status(), error.body(), error.note()); }
    // An answer that went out piece by piece is done, or its client has gone.
    void done(int status, const std::string& note) const;

  private:
    std::shared_ptr<HttpExchange> exchange_;
    std::string endpoint_;
    double answer_seconds_;
    Metrics* metrics_;
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace temper
