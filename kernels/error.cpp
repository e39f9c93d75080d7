#include "kernels/error.h"

#include <filesystem>

namespace temper {

ExitCode exit_code_of(const std::exception& error) {
    if (const auto* known = dynamic_cast<const Error*>(&error)) return known->code();
    return dynamic_cast<const std::filesystem::filesystem_error*>(&error) != nullptr ? ExitCode::io_error : ExitCode::internal;
}

}  // namespace temper
