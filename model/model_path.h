// The path that a user gives as a model's.
#pragma once
#include <filesystem>

namespace temper {

// missing_input where nothing is there, with how a model of the Hub is had where the path looks like its name; bad_data for a file that is no GGUF file.
void require_model(const std::filesystem::path& model);

}  // namespace temper
