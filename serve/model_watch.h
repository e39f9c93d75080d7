// Follows the alias of a registry: when it moves, the new version is loaded beside the old one, which answers until then.
#pragma once
#include <string>

#include "runs/registry.h"
#include "serve/config.h"
#include "serve/metrics.h"
#include "serve/repeated.h"
#include "serve/scheduler.h"

namespace temper {

// missing_input where the alias stands for nothing.
RegisteredModel resolve_served(const ServeRegistry& registry);

class ModelWatch {
  public:
    ModelWatch(const ServeConfig& config, RegisteredModel served, Scheduler& scheduler, Metrics& metrics);

  private:
    void look();
    void complain(const std::string& message);

    const ServeConfig& config_;
    RegisteredModel served_;
    Scheduler& scheduler_;
    Metrics& metrics_;
    std::string last_complaint_;
    Repeated watch_;  // last: it uses the others
};

}  // namespace temper
