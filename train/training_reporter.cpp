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

void TrainingReporter::data(const std::string& role, const TokenDataset& data) const {
    if (!active_) return;
    const DataReport& r = data.report();
    for (const DataSource& source : data.sources()) {
        std::string forms;
        for (const auto& [form, rows] : source.forms) forms += fmt::format("{}{} {}", forms.empty() ? "" : ", ", rows, form);
        log_info("{} data: {} ({}): {} rows, {}", role, source.path, source.format, source.rows, forms.empty() ? "none taken" : forms);
    }
    log_info("{} data: {} rows kept of {}, {} tokens, {} supervised ({:.1f}%), longest {}", role, r.kept, r.rows, r.tokens, r.supervised,
             100.0 * static_cast<double>(r.supervised) / static_cast<double>(r.tokens), r.longest);
    if (r.not_drawn > 0 || r.repeated > 0)
        log_info("{} data: left out by a weight below 1: {}, drawn once more by a weight above 1: {}", role, r.not_drawn, r.repeated);
    log_info(
        "{} data: truncated {} ({} tokens cut), dropped as too long {}, dropped with nothing supervised {}, without an end token {}, with two BOS {}",
        role, r.truncated, r.tokens_cut, r.dropped_overlong, r.dropped_unsupervised, r.no_end_token, r.several_bos);
    if (r.no_end_token > 0)
        log_warning("{} data: {} rows do not end with an end token: the model does not learn to stop there", role, r.no_end_token);
    if (r.several_bos > 0)
        log_warning("{} data: {} rows begin with two BOS tokens: the template and the tokenizer both add one", role, r.several_bos);
}

void TrainingReporter::plan(const MemoryPlan& plan, const LoraLayout& lora) const {
    if (!active_) return;
    log_info("adapter: {} modules, {} parameters", lora.modules.size(), lora.parameters);
    std::string items;
    for (const MemoryPlan::Item& item : plan.items)
        items += fmt::format("{}{} {:.0f} MB", items.empty() ? "" : ", ", item.name, static_cast<double>(item.bytes) * 1e-6);
    log_info("memory plan: {:.2f} GB a rank at {} tokens a micro-batch ({})", static_cast<double>(plan.total()) * 1e-9, plan.micro_batch_tokens,
             items);
}

void TrainingReporter::start_steps(std::int64_t done, std::int64_t total) {
    if (!active_) return;
    log_info("first step begins {:.2f} s after the command", seconds_since_process_start());
    progress_ = std::make_unique<Progress>("sft", total, done);
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

void TrainingReporter::evaluation(const Json& metrics) {
    std::string text;
    for (const auto& [name, value] : metrics.items())
        if (name.rfind("eval_", 0) == 0) text += fmt::format("{}{} {:.5g}", text.empty() ? "" : ", ", name, value.get<double>());
    say(fmt::format("step {}: {}", metrics.at("step").get<std::int64_t>(), text));
}

void TrainingReporter::end_steps() { progress_.reset(); }

}  // namespace temper
