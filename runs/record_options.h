// What the program and its command line say for every run's record, whatever the command.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "runs/run_record.h"

namespace temper {

struct RecordOptions {
    std::vector<std::string> command_line;
    std::map<std::string, std::string> versions;  // of this build and its libraries; "git" names the commit
};

// The command and the environment; `environment` without versions and git, which the options know.
void describe_run(RunRecord& record, const RecordOptions& options, RunEnvironment environment);

}  // namespace temper
