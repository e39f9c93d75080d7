// TEMPER_EMULATION_LAUNCHES=FILE: when the process ends, a line a kernel is appended to FILE: where its code begins in the program (an offset, which
// nm tells the name of), the most threads a block and the most bytes of shared memory that it was launched with. For bench/kernel_resources.sh.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>

#include "kernels/cuda/launch.h"

extern "C" const char __ehdr_start;  // of the linker: where the program lies in memory

namespace temper::cuda::emulation {
namespace {

class LaunchLog {
  public:
    void note(const void* kernel, int threads, int shared_bytes) {
        if (path_ == nullptr) return;
        const std::lock_guard lock(mutex_);
        Most& most = launches_[kernel];
        most.threads = std::max(most.threads, threads);
        most.shared_bytes = std::max(most.shared_bytes, shared_bytes);
    }
    ~LaunchLog() {
        std::FILE* const file = path_ == nullptr ? nullptr : std::fopen(path_, "a");
        if (file == nullptr) return;
        for (const auto& [kernel, most] : launches_)
            std::fprintf(file, "%tx %d %d\n", static_cast<const char*>(kernel) - &__ehdr_start, most.threads, most.shared_bytes);
        std::fclose(file);
    }

  private:
    struct Most {
        int threads = 0, shared_bytes = 0;
    };
    const char* path_ = std::getenv("TEMPER_EMULATION_LAUNCHES");
    std::mutex mutex_;
    std::map<const void*, Most> launches_;
};

}  // namespace

void note_launch(const void* kernel, int threads, int shared_bytes) {
    static LaunchLog log;
    log.note(kernel, threads, shared_bytes);
}

}  // namespace temper::cuda::emulation
