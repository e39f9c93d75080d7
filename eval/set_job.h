// `temper eval --sets` and `--matrix`: systems on evaluation sets, with answers, grades and the comparison in the run's directory.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "eval/eval_systems.h"
#include "eval/evaluation_set.h"
#include "runs/job_record.h"

namespace temper {

struct SetEvalOptions : JobOptions {
    EvalMatrix matrix;
    std::filesystem::path matrix_file;  // empty: one system, from the command line
    std::string dtype = "bfloat16", judges_dir;
    RowFilter filter;
};
// Returns the exit code: 0 done, 75 stopped by a signal with what was answered kept. Everything else is an Error.
int run_set_eval_job(const SetEvalOptions& options);

}  // namespace temper
