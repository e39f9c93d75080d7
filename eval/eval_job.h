// `temper eval`: tasks on a model, with results and samples in the run's directory as lm-evaluation-harness writes them.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "runs/job_record.h"

namespace temper {

struct EvalOptions : JobOptions {
    std::string model, adapter, data, tasks_dir, dtype = "bfloat16", system_instruction;
    std::vector<std::string> tasks;
    std::optional<std::int64_t> limit, num_fewshot;
    std::int64_t batch_tokens = 4096, bootstrap_iters = 100000, max_length = 0;
    bool apply_chat_template = false, fewshot_as_multiturn = false;
};
// Returns the exit code: 0 done, 75 stopped by a signal with the answers so far kept. Everything else is an Error.
int run_eval_job(const EvalOptions& options);

}  // namespace temper
