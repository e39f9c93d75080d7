#include "serve/model_watch.h"

#include <chrono>

#include "io/log.h"
#include "io/machine.h"

namespace temper {
namespace {

// A machine without room for two versions would end the process instead of refusing the memory. The next one is about as large as this one.
void check_memory(const LanguageModel& served, const Scheduler& scheduler) {
    const auto needed = static_cast<std::int64_t>(served.decoder().bytes() + scheduler.slot_bytes(served));
    const std::int64_t available = available_memory_bytes();
    if (served.decoder().stream().device() != Device::cpu || available > needed + needed / 8) return;
    throw_error(ExitCode::io_error,
                "a version beside it takes {} MiB with its slots, and {} are free: start the server again, or give it more memory", needed >> 20,
                available >> 20);
}

bool same(const RegisteredModel& a, const RegisteredModel& b) { return a.version == b.version && a.adapter_sha256 == b.adapter_sha256; }

}  // namespace

RegisteredModel resolve_served(const ServeRegistry& registry) {
    if (auto found = resolve_alias(registry.directory, registry.name, registry.alias)) return *found;
    throw_error(ExitCode::missing_input, "{}: {} has no alias {}: promote a run first", registry.directory, registry.name, registry.alias);
}

ModelWatch::ModelWatch(const ServeConfig& config, RegisteredModel served, Scheduler& scheduler, Metrics& metrics)
    : config_(config), served_(std::move(served)), scheduler_(scheduler), metrics_(metrics), watch_(config.registry.poll_seconds, [this] {
          look();
      }) {}

void ModelWatch::look() {
    try {
        const RegisteredModel now = resolve_served(config_.registry);
        if (same(now, served_)) {
            last_complaint_.clear();
            return;
        }
        check_memory(*scheduler_.model(), scheduler_);
        const auto begun = std::chrono::steady_clock::now();
        const auto model = std::make_shared<const LanguageModel>(config_, now);
        scheduler_.replace(model);
        served_ = now;
        last_complaint_.clear();
        metrics_.reload(true);
        log_info("{} is served from here on: {}, loaded in {:.1f} s", model->fingerprint(), now.adapter,
                 std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
    } catch (const std::exception& error) {
        complain(error.what());
    }
}

// Once for as long as it stays the same; each new try is made all the same.
void ModelWatch::complain(const std::string& message) {
    metrics_.reload(false);
    if (message == last_complaint_) return;
    last_complaint_ = message;
    log_error("{} stays served: {}", scheduler_.model()->fingerprint(), message);
}

}  // namespace temper
