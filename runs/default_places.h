// Where runs and prompts lie unless a command or a configuration says otherwise: one answer for every command.
#pragma once
#include <string>

namespace temper {

std::string default_output_dir();   // TEMPER_OUTPUT_DIR, else runs
std::string default_prompts_dir();  // TEMPER_PROMPTS, else prompts

}  // namespace temper
