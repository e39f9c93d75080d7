// What this process may use and has used of the machine.
#pragma once
#include <cstdint>
#include <string>

namespace temper {

// Threads of a rank: `configured` when positive, else OMP_NUM_THREADS, else share_of_cores of what scheduler and launcher say.
int resolve_threads(std::int64_t configured);
// Cores for each of `local_ranks` ranks on a host of `online` cores, when a rank is allowed `allowed` of them: its own, where the launcher binds ranks, else
// an equal part of those that they have in common.
int share_of_cores(int allowed, int online, int local_ranks);
std::string cpu_name();  // the processor's model, "unknown" where the system does not tell
// Ranks of this job on this host, of `ranks` in all: what the launcher says, else all of them.
int ranks_on_this_host(int ranks);
double seconds_since_process_start();   // to 10 ms; exec and dynamic linking included
std::int64_t peak_memory_bytes();       // largest resident set so far
void give_back_large_blocks();          // from now on: every freed block of a megabyte goes back to the system at once
void release_free_memory();             // gives back to the system what loading left free in the heap
std::int64_t available_memory_bytes();  // free and reclaimable now, within the cgroup's limit where there is one

}  // namespace temper
