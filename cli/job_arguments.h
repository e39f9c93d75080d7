// The arguments that jobs have in common.
#pragma once
#include <string>
#include <vector>

#include "runs/default_places.h"
#include "runs/job_record.h"

namespace temper {

class Command;

void set_up_job(JobOptions& options, const std::string& run_name, const std::vector<std::string>& command_line);
// missing_input, before a run is made for what is misspelt. `adapter` may be empty.
void check_model_is_there(const std::string& model, const std::string& adapter);
void check_file_is_there(const std::string& option, const std::string& path);
// --parent, --tag, --price-table: of every command that writes a record.
void add_record_arguments(Command& command, RecordOptions& options);
// Those, and where the record is made; of a command that does its work in one go.
void add_run_arguments(Command& command, JobOptions& options);
// All of a job that can be stopped and goes on.
void add_job_arguments(Command& command, JobOptions& options);

}  // namespace temper
