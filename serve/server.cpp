#include "serve/server.h"

#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <thread>

#include "io/environment.h"
#include "io/json_text.h"
#include "io/log.h"
#include "io/machine.h"
#include "runs/stop_signal.h"
#include "serve/api.h"
#include "serve/model_watch.h"
#include "serve/system_prompt.h"

namespace temper {
namespace {

HttpServerOptions http_options(const ServeConfig& config) {
    HttpServerOptions options;
    options.host = config.host;
    options.port = static_cast<int>(config.port);
    options.body_bytes = static_cast<std::size_t>(config.limits.body_bytes);
    options.connections = config.limits.connections;
    options.seconds = config.limits.request_seconds;
    return options;
}

// The parts, in the order in which they need each other.
class Server {
  public:
    explicit Server(const ServeConfig& config) : config_(config) {
        std::optional<RegisteredModel> registered;
        if (config.follows_registry()) registered = resolve_served(config.registry);
        if (config.generates())
            scheduler_ = std::make_unique<Scheduler>(std::make_shared<const LanguageModel>(config, registered), config.slots, config.limits.queue);
        if (config.embedding_model) embeddings_ = std::make_unique<EmbeddingService>(config);
        api_ = std::make_unique<Api>(config, environment_secret(config.api_key_env, "api_key_env"), scheduler_.get(), embeddings_.get(), metrics_);
        if (config.system_prompt) {
            prompt_ = std::make_unique<SystemPromptWatch>(config, *scheduler_, metrics_);
            api_->set_system_prompt(prompt_.get());
        }
        if (registered) watch_ = std::make_unique<ModelWatch>(config, *registered, *scheduler_, metrics_);
        http_ = std::make_unique<HttpServer>(
            http_options(config), [this](const std::shared_ptr<HttpExchange>& exchange) { api_->handle(exchange); },
            [this](int status, const std::string& message) { return fault(status, message); });
        api_->set_connections([this] { return http_->connections(); });
        http_->start();
    }

    // Requests that are left after the drain are answered by whoever holds them; their connections are still there.
    ~Server() {
        watch_.reset();
        http_->stop();
        prompt_.reset();
        scheduler_.reset();
        embeddings_.reset();
    }

    int port() const { return http_->port(); }

    // Connections that were still open at the end.
    std::int64_t drain() {
        api_->set_draining();
        http_->drain();
        const auto end =
            std::chrono::steady_clock::now() + std::chrono::milliseconds(static_cast<std::int64_t>(config_.limits.drain_seconds * 1000.0));
        while (http_->connections() > 0 && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return http_->connections();
    }

  private:
    // Of HTTP itself: no endpoint hears of it.
    std::string fault(int status, const std::string& message) {
        metrics_.http_fault(status);
        log_info("http {}, {}", status, message);
        return json_text(status == 503 ? overloaded(message).body() : ApiError(status, message).body());
    }

    const ServeConfig& config_;
    Metrics metrics_;
    std::unique_ptr<HttpServer> http_;  // outlives whoever holds an exchange
    std::unique_ptr<Scheduler> scheduler_;
    std::unique_ptr<EmbeddingService> embeddings_;
    std::unique_ptr<SystemPromptWatch> prompt_;
    std::unique_ptr<Api> api_;
    std::unique_ptr<ModelWatch> watch_;
};

}  // namespace

int run_server(const ServeConfig& config) {
    give_back_large_blocks();
    install_stop_signals();
    Server server(config);
    const std::string url =
        fmt::format("http://{}:{}", config.host.find(':') == std::string::npos ? config.host : "[" + config.host + "]", server.port());
    log_info("{} is ready after {:.1f} s", url, seconds_since_process_start());
    std::printf("%s\n", url.c_str());
    std::fflush(stdout);
    while (stop_requested() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    log_info("stopping: requests under way get {} s", config.limits.drain_seconds);
    const std::int64_t left = server.drain();
    if (left == 0) return static_cast<int>(ExitCode::done);
    log_warning("{} connections were cut off", left);
    return static_cast<int>(ExitCode::requeue);
}

}  // namespace temper
