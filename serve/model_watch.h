// Follows the alias of a registry: when it moves, the new version is loaded beside the old one, which answers until then.
#pragma once
#include <condition_variable>
#include <mutex>
#include <thread>

#include "runs/registry.h"
#include "serve/config.h"
#include "serve/metrics.h"
#include "serve/scheduler.h"

namespace temper {

// missing_input where the alias stands for nothing.
RegisteredModel resolve_served(const ServeRegistry& registry);

class ModelWatch {
  public:
    ModelWatch(const ServeConfig& config, RegisteredModel served, Scheduler& scheduler, Metrics& metrics);
    ~ModelWatch();

  private:
    void work();
    void look();
    void complain(const std::string& message);

    const ServeConfig& config_;
    RegisteredModel served_;
    Scheduler& scheduler_;
    Metrics& metrics_;
    std::string last_complaint_;

    std::mutex mutex_;
    std::condition_variable ended_;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace temper
