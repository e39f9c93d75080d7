// Where a command is to write its result, looked at before the work and not behind it.
#pragma once
#include <filesystem>
#include <initializer_list>

namespace temper {

// missing_input where the folder does not exist, usage where the name is a directory's or that of a file that is read (an empty name is none); all of
// them say what to do.
void check_output_file(const std::filesystem::path& output, std::initializer_list<std::filesystem::path> inputs = {});

}  // namespace temper
