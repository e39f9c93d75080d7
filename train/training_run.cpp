#include "train/training_run.h"

#include <chrono>
#include <cmath>

#include "io/durable.h"
#include "io/json_section.h"
#include "io/log.h"
#include "io/machine.h"
#include "kernels/cuda/attention_cudnn.h"
#include "kernels/cuda/runtime.h"
#include "kernels/error.h"
#include "model/lora_start.h"
#include "runs/metric_direction.h"
#include "runs/stop_signal.h"

namespace temper {
namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Losses fall, accuracies and margins of rewards rise.
bool is_better(const std::string& metric, double value, double best) { return metric_direction(metric) > 0 ? value > best : value < best; }

std::string names_of(const Json& object) {
    std::string names;
    for (const auto& [name, value] : object.items()) names += (names.empty() ? "" : ", ") + name;
    return names;
}

}  // namespace

Json to_json(const RunCursor& c) {
    Json json{{"num_tokens", c.num_tokens},
              {"metrics_bytes", c.metrics_bytes},
              {"window", {{"loss", c.window.loss}, {"steps", c.window.steps}, {"sums", c.window.sums.values}}},
              {"best_step", c.best_step},
              {"evaluations_without_gain", c.evaluations_without_gain},
              {"best_evaluation", c.best_evaluation},
              {"evaluated_step", c.evaluated_step},
              {"model_sample", c.model_sample},
              {"layout", c.layout},
              {"data_hash", c.data_hash},
              {"reference", c.reference},
              {"isa", c.isa},
              {"start", c.start},
              {"unlogged", c.unlogged},
              {"build", c.build}};
    if (c.eval_hash) json["eval_hash"] = *c.eval_hash;
    if (c.best_metric) json["best_metric"] = *c.best_metric;
    return json;
}

RunCursor cursor_from_json(const Json& json) {
    RunCursor c;
    const JsonSection section(json, "cursor");
    const auto integer = [&](const char* name) { return section.integer(name, INT64_MIN, INT64_MAX); };
    c.num_tokens = integer("num_tokens");
    c.metrics_bytes = integer("metrics_bytes");
    const Json& window = json.at("window");
    c.window.loss = window.at("loss").get<double>();
    c.window.steps = section.child("window").integer("steps", 0, INT64_MAX);
    c.window.sums.values = window.at("sums").get<decltype(LeafSums::values)>();
    c.best_step = integer("best_step");
    c.evaluations_without_gain = integer("evaluations_without_gain");
    c.best_evaluation = json.at("best_evaluation");
    c.evaluated_step = integer("evaluated_step");
    c.model_sample = json.value("model_sample", "");
    c.layout = json.value("layout", "");
    if (json.contains("eval_hash")) c.eval_hash = json.at("eval_hash").get<std::string>();
    c.data_hash = json.at("data_hash").get<std::string>();
    c.reference = json.value("reference", "");
    c.isa = json.at("isa").get<std::string>();
    c.build = json.value("build", "");
    c.start = json.value("start", "");
    if (json.contains("unlogged")) c.unlogged = json.at("unlogged");
    if (json.contains("best_metric")) c.best_metric = json.at("best_metric").get<double>();
    return c;
}

TrainingRun::TrainingRun(Parts parts, RunCursor cursor, std::int64_t first_step)
    : p_(parts), cursor_(std::move(cursor)), step_(first_step), saved_step_(first_step) {
    if (p_.store == nullptr) return;
    copy_.emplace(p_.trainer);
    writer_.emplace(*p_.store);
}

bool TrainingRun::keep_going(std::int64_t done) const {
    if (done >= p_.trainer.total_steps()) return false;
    const std::int64_t patience = p_.options.config.train.early_stopping_patience;
    return patience == 0 || cursor_.evaluations_without_gain < patience;
}

void TrainingRun::restore_metrics(const std::vector<Json>& rows) {
    for (const Json& row : rows)
        for (const auto& [name, value] : row.items()) final_metrics_[name] = value;
}

bool TrainingRun::stop() {
    p_.reporter.end_steps();
    save(step_);
    finish_saving();
    return false;
}

bool TrainingRun::evaluation_due() const {
    if (!p_.evaluation || step_ == 0 || cursor_.evaluated_step == step_) return false;
    const std::int64_t every = p_.options.config.train.eval_steps;
    return !keep_going(step_) || (every > 0 && step_ % every == 0);
}

bool TrainingRun::train() {
    const TrainingConfig& config = p_.options.config.train;
    p_.reporter.start_steps(step_, p_.trainer.total_steps());
    // A stop may have cut the evaluation after the checkpoint's step short.
    if (evaluation_due() && !evaluate(step_)) return stop();
    while (keep_going(step_)) {
        const auto begin = std::chrono::steady_clock::now();
        const StepOutcome outcome = p_.trainer.step(step_);
        if (writer_) writer_->check();
        if (outcome.stopped) return stop();
        watch_memory();
        const double seconds = seconds_since(begin);
        ++step_;
        log_step(step_, outcome, seconds);
        if (evaluation_due() && !evaluate(step_)) return stop();
        if (config.save_steps > 0 && step_ % config.save_steps == 0) save(step_);
    }
    if (evaluation_due() && !evaluate(step_)) return stop();
    p_.reporter.end_steps();
    log_window();  // of steps since the last line, where the run stopped early
    if (step_ < p_.trainer.total_steps()) {
        ending_ = fmt::format("stopped early after step {} of {}: {} evaluations without a better {}", step_, p_.trainer.total_steps(),
                              cursor_.evaluations_without_gain, config.metric_for_best_model);
        p_.reporter.say(ending_);
    }
    save(step_);
    finish_saving();
    return true;
}

void TrainingRun::watch_memory() {
    const std::int64_t before = device_allocations_;
    device_allocations_ = cuda::memory_use().device_allocations;
    if (before >= 0 && device_allocations_ != before)
        p_.reporter.warn(fmt::format("step {}: device memory was taken after the first step: the memory plan misses it", step_ + 1));
}

void TrainingRun::append(const Json& metrics) {
    if (p_.journal == nullptr) return;
    p_.directory->check_owned();
    p_.journal->append(metrics);
}

void TrainingRun::log_step(std::int64_t done, const StepOutcome& outcome, double seconds) {
    cursor_.num_tokens += outcome.tokens;
    cursor_.window.loss += outcome.loss;
    ++cursor_.window.steps;
    cursor_.window.sums += outcome.sums;
    step_seconds_ += seconds;
    step_tokens_ += outcome.tokens;
    step_flops_ += outcome.flops;
    Json metrics{{"step", done},
                 {"epoch", p_.trainer.epoch_after(done - 1)},
                 {"loss", cursor_.window.loss / static_cast<double>(cursor_.window.steps)},
                 {"grad_norm", outcome.grad_norm},
                 {"learning_rate", outcome.learning_rate},
                 {"num_tokens", cursor_.num_tokens}};
    for (const auto& [name, value] : p_.objective.metrics(cursor_.window.sums)) metrics[name] = value;
    metrics["tokens_per_second"] = static_cast<double>(outcome.tokens) / seconds;
    p_.reporter.step(done, outcome.tokens, metrics);
    cursor_.unlogged = std::move(metrics);
    const std::int64_t every = std::max<std::int64_t>(1, p_.options.config.train.logging_steps);
    if (done % every == 0 || done == p_.trainer.total_steps()) log_window();
}

void TrainingRun::log_window() {
    if (cursor_.unlogged.empty()) return;
    for (const auto& [name, value] : cursor_.unlogged.items()) final_metrics_[name] = value;
    append(cursor_.unlogged);
    cursor_.window = {};
    cursor_.unlogged = Json::object();
}

bool TrainingRun::evaluate(std::int64_t done) {
    if (writer_ && p_.trainer.stream().device() == Device::cpu) writer_->wait();  // the plan has room for one of both in the host's memory
    std::shared_ptr<Objective> objective = p_.evaluation();
    std::unique_ptr<Progress> progress;
    const Trainer::Evaluation result = p_.trainer.evaluate(*objective, [&](std::int64_t rows, std::int64_t of, std::int64_t tokens) {
        if (!progress) progress = p_.reporter.start_evaluation(of, p_.comm.size());
        if (progress) progress->update(rows, tokens);
    });
    progress.reset();
    if (result.stopped) return false;
    cursor_.evaluated_step = done;
    Json figures{{"eval_loss", result.loss}};
    for (const auto& [name, value] : objective->evaluation_metrics(result.sums)) figures["eval_" + name] = value;
    objective.reset();  // a checkpoint may follow, and the memory plan has room for one of both
    Json metrics{{"step", done}, {"epoch", p_.trainer.epoch_after(done - 1)}};
    metrics.update(figures);
    p_.reporter.evaluation(metrics);
    append(metrics);
    for (const auto& [name, value] : metrics.items()) final_metrics_[name] = value;
    const std::string& name = p_.options.config.train.metric_for_best_model;
    if (!metrics.contains(name)) throw_error(ExitCode::usage, "train.metric_for_best_model is '{}', evaluation gives {}", name, names_of(figures));
    const double value = metrics.at(name).get<double>();
    if (cursor_.best_metric && !is_better(name, value, *cursor_.best_metric)) {
        ++cursor_.evaluations_without_gain;
        return true;
    }
    cursor_.best_metric = value;
    cursor_.best_step = done;
    cursor_.best_evaluation = figures;
    cursor_.evaluations_without_gain = 0;
    if (p_.options.config.train.load_best_model_at_end) save(done);
    return true;
}

void TrainingRun::save(std::int64_t done) {
    if (done == saved_step_) return;
    p_.trainer.check_parameters();
    saved_step_ = done;
    if (p_.store == nullptr) return;
    p_.journal->sync();
    const std::int64_t stored_before = cursor_.metrics_bytes;
    cursor_.metrics_bytes = p_.journal->length();
    std::vector<std::int64_t> kept;
    if (p_.options.config.train.load_best_model_at_end && cursor_.best_metric) kept.push_back(cursor_.best_step);
    writer_->wait();  // it may still read the copy
    p_.tracking.settled(stored_before);
    const auto state_of_run = [state = copy_->take(to_json(cursor_)), &algorithms = p_.algorithms] {
        TrainState whole = state();
        whole.algorithms = algorithms;
        return whole;
    };
    writer_->save(state_of_run, p_.options.config.train.save_total_limit, std::move(kept));
}

void TrainingRun::finish_saving() {
    if (writer_) writer_->wait();
    p_.tracking.settled(cursor_.metrics_bytes);
    if (const cuda::LibraryPasses passes = cuda::library_passes(); passes.left > 0)
        log_debug("attention: cuDNN took {} passes, {} were left to our own kernels", passes.taken, passes.left);
}

double TrainingRun::tokens_per_second() const { return step_seconds_ > 0.0 ? static_cast<double>(step_tokens_) / step_seconds_ : 0.0; }

void TrainingRun::finish(double peak_flops, std::int64_t peak_memory, std::int64_t peak_device_memory) {
    const TrainingOptions& options = p_.options;
    TrainState state = p_.trainer.state();
    if (options.config.train.load_best_model_at_end && cursor_.best_metric) {
        if (cursor_.best_step != state.step) state = p_.store->load(cursor_.best_step);
        p_.reporter.say(
            fmt::format("best checkpoint: step {} ({} {:.6g})", cursor_.best_step, options.config.train.metric_for_best_model, *cursor_.best_metric));
        // The record speaks of the adapter that is shipped.
        final_metrics_["best_step"] = cursor_.best_step;
        final_metrics_.update(cursor_.best_evaluation);
    }
    p_.directory->check_owned();
    const std::filesystem::path adapter = p_.directory->adapter();
    const std::string base = std::filesystem::path(options.config.model).filename().string();
    if (p_.start.empty()) {
        write_adapter(adapter, p_.decoder.lora(), state.parameters.data(), base);
    } else {
        const DifferenceAdapter difference = difference_adapter(p_.decoder.config(), p_.decoder.lora(), state.parameters.data(), p_.start.data());
        write_adapter(adapter, difference.layout, difference.parameters.data(), base);
    }
    if (p_.decoder.lora().settings.vocabulary > 0) {
        write_durable(adapter / "tokenizer.json", p_.tokenizer.to_tokenizer_json());
        write_durable(adapter / "tokenizer_config.json", p_.tokenizer.to_tokenizer_config_json());
    }
    // Who uses the adapter writes conversations as it has learned them.
    if (!p_.chat_template.empty()) write_durable(adapter / "chat_template.jinja", p_.chat_template);
    for (const char* file : {"adapter_config.json", "adapter_model.safetensors", "README.md", "chat_template.jinja"})
        if (std::filesystem::exists(adapter / file)) p_.record->add_artifact("adapter", adapter / file);
    RunPerformance performance;
    performance.seconds = step_seconds_;
    performance.tokens = cursor_.num_tokens;
    performance.tokens_per_second = tokens_per_second();
    performance.flops_per_second = step_seconds_ > 0.0 ? step_flops_ / step_seconds_ : 0.0;
    performance.share_of_peak = peak_flops > 0.0 ? performance.flops_per_second / peak_flops : 0.0;
    performance.peak_memory_bytes = peak_memory;
    performance.peak_device_memory_bytes = peak_device_memory;
    p_.record->set_performance(performance);
    p_.record->set_metrics(final_metrics_);
}

}  // namespace temper
