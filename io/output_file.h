// Where a command is to write its result, looked at before the work and not behind it.
#pragma once
#include <filesystem>

namespace temper {

// missing_input where the folder does not exist, usage where the name is a directory's; both say what to do.
void check_output_file(const std::filesystem::path& output);

}  // namespace temper
