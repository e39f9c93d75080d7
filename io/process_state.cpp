#include "io/process_state.h"

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

#include <signal.h>

#include "kernels/error.h"

namespace temper {

std::optional<ProcessState> process_state(std::int64_t pid) {
    std::ifstream file(fmt::format("/proc/{}/stat", pid));
    std::string text;
    if (!std::getline(file, text)) return std::nullopt;
    const std::size_t end_of_name = text.rfind(')');  // the name may hold spaces and brackets
    if (end_of_name == std::string::npos) return std::nullopt;
    std::istringstream fields(text.substr(end_of_name + 1));
    ProcessState found;
    std::string skipped;
    fields >> found.state;
    for (int field = 4; field <= 21; ++field) fields >> skipped;
    if (!(fields >> found.start_ticks)) return std::nullopt;
    return found;
}

bool process_lives(std::int64_t pid) {
    if (pid <= 0) return false;
    if (const auto found = process_state(pid)) return found->state != 'Z' && found->state != 'X';
    return kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM;
}

}  // namespace temper
