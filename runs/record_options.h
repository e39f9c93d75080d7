// What the program, its command line and the environment say for every run's record, whatever the command.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "kernels/stream.h"
#include "runs/run_record.h"

namespace temper {

struct RecordOptions {
    std::vector<std::string> command_line;
    std::map<std::string, std::string> versions;  // of this build and its libraries; "git" names the commit
    std::string kind;                             // of command; empty: its first word
    std::string parent;                           // id or directory of the run that this one is a stage of; empty: TEMPER_PARENT_RUN_ID, or none
    std::vector<std::string> tags;                // "name=value"
    std::string price_table;                      // empty: TEMPER_PRICE_TABLE, or none
};

// Usage errors of what describe_run() would refuse, before anything is made.
void check_record_options(const RecordOptions& options);
// Kind, command, parent, tags and environment; `environment` without versions and git, which the options know.
void describe_run(RunRecord& record, const RecordOptions& options, RunEnvironment environment);
RunEnvironment environment_of(const Stream& stream);  // of one rank
std::string price_table_of(const RecordOptions& options);
// "name=value" in two; usage error that names `option` otherwise.
std::pair<std::string, std::string> name_and_value(const std::string& text, const std::string& option);

}  // namespace temper
