#include "io/output_file.h"

#include "kernels/error.h"

namespace temper {

void check_output_file(const std::filesystem::path& output) {
    const std::filesystem::path folder = std::filesystem::absolute(output).parent_path();
    if (!std::filesystem::is_directory(folder))
        throw_error(ExitCode::missing_input, "{}: the directory {} does not exist: make it, or name another output", output.string(),
                    folder.string());
    if (std::filesystem::is_directory(output)) throw_error(ExitCode::usage, "{}: is a directory, expected the name of a file", output.string());
}

}  // namespace temper
