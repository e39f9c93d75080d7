#include "runs/plain_name.h"

#include "kernels/error.h"

namespace temper {

void check_plain_name(const std::string& what, const std::string& name) {
    const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
    bool good = !name.empty() && name.size() <= 128 && plain(name[0]);
    for (const char c : name) good = good && (plain(c) || c == '.' || c == '_' || c == '-');
    if (!good) {
        throw_error(ExitCode::usage, "{}: found \"{}\", expected 1 to 128 of A-Z a-z 0-9 . _ - beginning with a letter or digit", what, name);
    }
}

}  // namespace temper
