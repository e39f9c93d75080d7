#include "io/output_file.h"

#include "kernels/error.h"

namespace temper {

void check_output_file(const std::filesystem::path& output, std::initializer_list<std::filesystem::path> inputs) {
    const std::filesystem::path folder = std::filesystem::absolute(output).parent_path();
    if (!std::filesystem::is_directory(folder))
        throw_error(ExitCode::missing_input, "{}: the directory {} does not exist: make it, or name another output", output.string(),
                    folder.string());
    if (std::filesystem::is_directory(output)) throw_error(ExitCode::usage, "{}: is a directory, expected the name of a file", output.string());
    std::error_code absent;
    for (const std::filesystem::path& input : inputs)
        if (std::filesystem::equivalent(output, input, absent))
            throw_error(ExitCode::usage, "{}: the output would replace the input {}: name another output", output.string(), input.string());
}

}  // namespace temper
