// The endpoints: which path does what, and who may ask.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "serve/config.h"
#include "serve/embedding_service.h"
#include "serve/http_server.h"
#include "serve/metrics.h"
#include "serve/scheduler.h"
#include "serve/served_call.h"
#include "serve/system_prompt.h"

namespace temper {

class Api {
  public:
    // Without a model that chats, or that embeds, its pointer is null and its endpoints say so. api_key: empty, none is asked for.
    Api(const ServeConfig& config, std::string api_key, Scheduler* scheduler, EmbeddingService* embeddings, Metrics& metrics);

    void handle(const std::shared_ptr<HttpExchange>& exchange);
    void set_draining() { draining_ = true; }
    void set_system_prompt(const SystemPromptWatch* prompt) { system_prompt_ = prompt; }  // before the first request
    void set_connections(std::function<std::int64_t()> connections) { connections_ = std::move(connections); }

  private:
    void route(const ServedCall& call);
    void generate(const ServedCall& call, bool chat);
    void embed(const ServedCall& call);
    void list_models(const ServedCall& call) const;
    void show_model(const ServedCall& call, const std::string& id) const;
    void health(const ServedCall& call) const;
    void metrics(const ServedCall& call) const;
    void check_key(const HttpCall& call) const;
    Json model_object(const std::string& id) const;

    const ServeConfig& config_;
    std::string api_key_;
    Scheduler* scheduler_;
    EmbeddingService* embeddings_;
    const SystemPromptWatch* system_prompt_ = nullptr;
    Metrics& metrics_;
    std::function<std::int64_t()> connections_;
    std::int64_t created_;
    std::atomic<bool> draining_{false};
};

}  // namespace temper
