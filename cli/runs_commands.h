// The parts of `temper runs` that stand in files of their own.
#pragma once
#include <string>
#include <vector>

namespace temper {

class Command;

void add_runs_exec(Command& runs, const std::vector<std::string>& command_line);  // exec and log

}  // namespace temper
