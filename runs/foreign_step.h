// `temper runs exec`: a program that is not temper's, with a run's record of its own.
#pragma once
#include <string>
#include <vector>

#include "runs/job_record.h"

namespace temper {

struct StepOptions : JobOptions {
    std::vector<std::string> words;  // the program and its arguments
};

// Runs it with TEMPER_RUN_DIR naming the run's directory and TEMPER_PARENT_RUN_ID its id, so that what temper does in there is nested in it. Its
// output goes on to ours and into output.log of the run's directory; signals sent to us are passed on. The exit code is its own, 128 + n where signal
// n ended it, 126 or 127 where it could not be started; 75 is recorded as preempted, any other but 0 as failed.
struct StepEnd {
    int exit_code = 0;
    Json result;  // run_id, run_dir, status, metrics
};
StepEnd run_foreign_step(const StepOptions& options);

}  // namespace temper
