#include "io/machine.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>

#include <malloc.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

namespace temper {

int resolve_threads(std::int64_t configured) {
    if (configured > 0) return static_cast<int>(configured);
    if (const char* text = std::getenv("OMP_NUM_THREADS")) {  // NOLINT(concurrency-mt-unsafe): read before any thread starts
        const int threads = std::atoi(text);
        if (threads > 0) return threads;
    }
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
    return 1;
}

double seconds_since_process_start() {
    std::ifstream file("/proc/self/stat");
    std::string line;
    std::getline(file, line);
    // The name in parentheses may hold spaces; the start time is the 20th field behind it, in clock ticks since boot.
    std::istringstream fields(line.substr(line.rfind(')') + 1));
    std::string field;
    for (int i = 0; i < 20; ++i) fields >> field;
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    const double started = std::strtod(field.c_str(), nullptr) / static_cast<double>(sysconf(_SC_CLK_TCK));
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9 - started;
}

std::int64_t peak_memory_bytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

void release_free_memory() {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

std::int64_t available_memory_bytes() {
    std::int64_t available = 0;
    std::ifstream info("/proc/meminfo");
    std::string name;
    std::int64_t kibibytes = 0;
    while (info >> name >> kibibytes) {
        if (name == "MemAvailable:") available = kibibytes * 1024;
        info.ignore(64, '\n');
    }
    for (const char* limit_path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
        std::int64_t limit = 0;
        if (std::ifstream file(limit_path); file >> limit && limit > 0) available = std::min(available, limit);
    }
    return available;
}

}  // namespace temper
