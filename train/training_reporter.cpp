#include "train/training_reporter.h"

#include "io/log.h"
#include "io/machine.h"

namespace temper {

void TrainingReporter::say(const std::string& text) const {
    if (active_) log_line(LogLevel::info, text);
}

void TrainingReporter::warn(const std::string& text) const {
    if (active_) log_line(LogLevel::warning, text);
}

void TrainingReporter::data(const std::string& role, const DataReport& report, const std::vector<DataSource>& sources) const {
    if (active_) log_data_report(role, report, sources);
}

void TrainingReporter::plan(const MemoryPlan& plan, const LoraLayout& lora) const {
    if (!active_) return;
    log_info("adapter: {} modules, {} parameters", lora.modules.size(), lora.parameters);
    std::string items;
    for (const MemoryPlan::Item& item : plan.items)
        items += fmt::format("{}{} {:.0f} MB", items.empty() ? "" : ", ", item.name, static_cast<double>(item.bytes) * 1e-6);
    const auto device = static_cast<double>(plan.total(Device::cuda)) * 1e-9;
    log_info("memory plan: {:.2f} GB a rank{} at {} tokens a micro-batch ({})", static_cast<double>(plan.total()) * 1e-9,
             device > 0.0 ? fmt::format(", {:.2f} GB of them on its GPU,", device) : "", plan.micro_batch_tokens, items);
}

void TrainingReporter::start_steps(std::int64_t done, std::int64_t total) {
    if (!active_) return;
    log_info("first step begins {:.2f} s after the command", seconds_since_process_start());
    progress_ = std::make_unique<Progress>(name_, total, done);
    tokens_before_ = -1;
}

void TrainingReporter::step(std::int64_t done, std::int64_t step_tokens, const Json& metrics) {
    if (!progress_) return;
    const auto tokens = metrics.at("num_tokens").get<std::int64_t>();
    if (tokens_before_ < 0) tokens_before_ = tokens - step_tokens;
    progress_->update(done, tokens - tokens_before_,
                      fmt::format("loss {:.4f} grad_norm {:.3f} lr {:.3g}", metrics.at("loss").get<double>(), metrics.at("grad_norm").get<double>(),
                                  metrics.at("learning_rate").get<double>()));
}

std::unique_ptr<Progress> TrainingReporter::start_evaluation(std::int64_t rows, int ranks) const {
    if (!active_) return nullptr;
    return std::make_unique<Progress>(ranks > 1 ? fmt::format("eval (rank 0 of {})", ranks) : "eval", rows);
}

void TrainingReporter::evaluation(const Json& metrics) {
    std::string text;
    for (const auto& [name, value] : metrics.items())
        if (name.rfind("eval_", 0) == 0) text += fmt::format("{}{} {:.5g}", text.empty() ? "" : ", ", name, value.get<double>());
    say(fmt::format("step {}: {}", metrics.at("step").get<std::int64_t>(), text));
}

void TrainingReporter::end_steps() { progress_.reset(); }

}  // namespace temper
