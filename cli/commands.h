// One file a subcommand; each adds itself to the program. Their options are in the help that it prints.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace temper {

class Command;

void add_training(Command& temper, const std::vector<std::string>& command_line);
void add_config(Command& temper);
void add_tokenize(Command& temper);
void add_convert(Command& temper, const std::vector<std::string>& command_line);
void add_merge(Command& temper, const std::vector<std::string>& command_line);
void add_score(Command& temper, const std::vector<std::string>& command_line);
void add_generate(Command& temper, const std::vector<std::string>& command_line);
void add_runs(Command& temper, const std::vector<std::string>& command_line);
void add_runs_sync(Command& runs);
void add_registry(Command& temper);
void add_gate(Command& temper);
void add_prompts(Command& temper);
void add_runs_sync(Command& runs);
void add_bench(Command& temper);
void add_features(Command& temper, const std::vector<std::string>& command_line);
void add_dataset(Command& temper, const std::vector<std::string>& command_line);
void add_search(Command& temper);
void add_embed(Command& temper, const std::vector<std::string>& command_line);
void add_calibrate(Command& temper, const std::vector<std::string>& command_line);
void add_eval(Command& temper, const std::vector<std::string>& command_line);
void add_rerank(Command& temper, const std::vector<std::string>& command_line);

// The whole program: parses, runs, reports errors on stderr (and for --json as an object on stdout); the exit code.
int run_command_line(int argc, const char* const* argv);

}  // namespace temper
