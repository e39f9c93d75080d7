// Who a process is, so that another one can tell whether it still lives: a number alone is reused by the system.
#pragma once
#include <cstdint>
#include <string>

#include "io/jsonl.h"

namespace temper {

struct ProcessIdentity {
    std::string host, boot_id, pid_namespace;
    std::int64_t pid = 0;
    std::int64_t start_ticks = 0;  // of /proc/PID/stat, since boot
    std::string job;               // Slurm's job id, empty outside a job
    std::int64_t restart_count = 0;

    static ProcessIdentity self();
    static ProcessIdentity from_json(const Json& json);  // missing members stay empty
    Json to_json() const;
    std::string text() const;  // for messages: "process 4711 on node3 (job 17)"

    // Both see the same processes: same boot of the same machine, same process namespace.
    bool same_machine(const ProcessIdentity& other) const;
    bool alive() const;  // asked on its own machine; a zombie is dead
};

std::string host_name();

}  // namespace temper
