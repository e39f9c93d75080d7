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

#include "io/control_group.h"

namespace temper {

namespace {

// Ranks on this host as the launcher (Open MPI's or MPICH's) says; 0 where it does not.
int told_local_ranks() {
    for (const char* variable : {"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"})
        if (const char* text = std::getenv(variable)) return std::max(0, std::atoi(text));  // NOLINT(concurrency-mt-unsafe): as below
    return 0;
}

}  // namespace

int resolve_threads(std::int64_t configured) {
    if (configured > 0) return static_cast<int>(configured);
    if (const char* text = std::getenv("OMP_NUM_THREADS")) {  // NOLINT(concurrency-mt-unsafe): read before any thread starts
        const int threads = std::atoi(text);
        if (threads > 0) return threads;
    }
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
    return share_of_cores(CPU_COUNT(&allowed), static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)), told_local_ranks());
}

int share_of_cores(int allowed, int online, int local_ranks) { return std::max(1, std::min(allowed, online / std::max(1, local_ranks))); }

std::string cpu_name() {
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);)
        if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos) return line.substr(line.find(": ") + 2);
    return "unknown";
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

void give_back_large_blocks() {
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 1 << 20);  // set once, it no longer grows with what is freed
#endif
}

void release_free_memory() {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

int ranks_on_this_host(int ranks) {
    const int local = told_local_ranks();
    return local > 0 ? std::min(local, ranks) : ranks;
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
    return std::min(available, memory_room_of_groups());
}

}  // namespace temper
