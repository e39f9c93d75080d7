// What a person sees of a training run on stderr: the data report and memory plan before the first step, steps as they pass, the end.
// Silent on every rank but 0.
#pragma once
#include <memory>
#include <string>

#include "io/progress.h"
#include "runs/metrics_journal.h"
#include "train/dataset.h"
#include "train/memory_plan.h"
#include "train/trainer.h"

namespace temper {

class TrainingReporter {
  public:
    TrainingReporter(bool active, std::string name) : active_(active), name_(std::move(name)) {}
    void data(const std::string& role, const DataReport& report, const std::vector<DataSource>& sources) const;
    void plan(const MemoryPlan& plan, const LoraLayout& lora) const;
    void say(const std::string& text) const;
    void warn(const std::string& text) const;
    void start_steps(std::int64_t done, std::int64_t total);
    void step(std::int64_t done, std::int64_t step_tokens, const Json& metrics);
    std::unique_ptr<Progress> start_evaluation(std::int64_t rows, int ranks) const;  // of this rank's rows; null where it is silent
    void evaluation(const Json& metrics);
    void end_steps();

  private:
    bool active_;
    std::string name_;  // of the command, before the progress bar
    std::unique_ptr<Progress> progress_;
    std::int64_t tokens_before_ = -1;  // of runs that this one continues
};

}  // namespace temper
