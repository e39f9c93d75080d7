// A program run to its end, its output seen piece by piece and signals passed on to it.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace temper {

struct ChildEnd {
    int exit_code = 0;    // 128 + signal where one ended it, 126 or 127 where it could not be started
    int signal = 0;       // that ended it
    int start_error = 0;  // errno of the start, 0 where it ran
};

// `out` gets what it writes to stdout and stderr; `to_stderr` tells them apart. SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT and SIGINT that arrive
// here meanwhile are sent on, those of a terminal aside, which the child has got as well. One at a time in a process.
ChildEnd run_child(const std::vector<std::string>& words, const std::map<std::string, std::string>& environment,
                   const std::function<void(std::string_view bytes, bool to_stderr)>& out);

}  // namespace temper
