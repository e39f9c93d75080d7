// The arguments that jobs have in common.
#pragma once
#include <string>
#include <vector>

#include "runs/job_record.h"

namespace temper {

class Command;

void set_up_job(JobOptions& options, const std::string& run_name, const std::vector<std::string>& command_line);
void add_job_arguments(Command& command, JobOptions& options);

}  // namespace temper
