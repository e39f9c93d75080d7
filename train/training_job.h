// `temper sft` and `temper dpo`: LoRA fine-tuning from a configuration to an adapter, a run record and checkpoints.
#pragma once
#include <string>

#include "runs/record_options.h"
#include "train/config.h"

namespace temper {

struct TrainingOptions : RecordOptions {
    TrainKind kind = TrainKind::sft;
    Config config;
    std::string resume = "no";  // auto | no | a run directory or a checkpoint in it
    bool dry_run = false;       // data report and memory plan, then stop
    bool json = false;          // one object as the last line of stdout
};
// Returns the exit code: 0 done, 75 stopped by a signal with the state saved. Everything else is an Error.
int run_training_job(const TrainingOptions& options);

}  // namespace temper
