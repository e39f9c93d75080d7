// Whether a process of this machine still lives.
#pragma once
#include <cstdint>
#include <optional>

namespace temper {

struct ProcessState {
    char state = '?';              // of /proc/PID/stat: 'R' running, 'S' sleeping, 'Z' dead and not yet waited for by its parent
    std::int64_t start_ticks = 0;  // since boot; with the pid it names one process for as long as the machine runs
};

// Nothing where there is no such process or /proc does not show it.
std::optional<ProcessState> process_state(std::int64_t pid);
// A zombie is dead. Where /proc hides other users' processes, the number is all there is to go by.
bool process_lives(std::int64_t pid);

}  // namespace temper
