#include "io/environment.h"

#include <cstdlib>

#include "kernels/error.h"

namespace temper {

std::string environment_text(const char* name) {
    const char* const text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): the environment is not changed
    return text == nullptr ? "" : text;
}

std::string environment_secret(const std::string& name, const std::string& place) {
    if (name.empty()) return "";
    std::string text = environment_text(name.c_str());
    if (text.empty()) throw_error(ExitCode::usage, "{}: the environment variable {} is not set; it holds the key", place, name);
    return text;
}

}  // namespace temper
