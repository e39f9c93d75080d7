#include "kernels/cuda/emulation/registry.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include <sys/mman.h>

#include "kernels/cuda/emulation/access.h"
#include "kernels/error.h"

namespace temper::cuda::emulation {
namespace {

constexpr std::size_t kAlignment = 256;

struct Range {
    Kind kind;
    std::size_t bytes;
    Trace* traces;  // pages come when they are touched
};

struct Registry {
    std::mutex mutex;
    std::map<std::uintptr_t, Range> ranges;  // by their first byte
    std::size_t device_bytes = 0;
    std::string fault;

    // The range that holds all of them, or null.
    const std::pair<const std::uintptr_t, Range>* find(const void* first, std::size_t bytes) const {
        const auto begin = reinterpret_cast<std::uintptr_t>(first);
        auto it = ranges.upper_bound(begin);
        if (it == ranges.begin()) return nullptr;
        --it;
        const std::size_t offset = begin - it->first;
        return offset <= it->second.bytes && bytes <= it->second.bytes - offset ? &*it : nullptr;
    }
};

Registry& registry() {
    static Registry* const all = new Registry;  // outlives whoever releases late
    return *all;
}

std::size_t trace_bytes(std::size_t bytes) { return (bytes / kUnit + 1) * sizeof(Trace); }

Trace* map_traces(std::size_t bytes) {
    if (!checks_are_full()) return nullptr;
    void* const memory = mmap(nullptr, trace_bytes(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw_error(ExitCode::internal, "emulated CUDA: no memory to trace {} bytes; set TEMPER_EMULATION_CHECKS=fast", bytes);
    return static_cast<Trace*>(memory);  // zeros: no access
}

}  // namespace

void* allocate_range(Kind kind, std::size_t bytes) {
    const std::size_t size = (bytes / kAlignment + 1) * kAlignment;
    void* const memory = std::aligned_alloc(kAlignment, size);
    if (memory == nullptr)
        throw_error(ExitCode::internal, "emulated CUDA: out of memory for {} bytes; use smaller batches (train.micro_batch_tokens)", bytes);
    std::memset(memory, 0xff, size);
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    all.ranges[reinterpret_cast<std::uintptr_t>(memory)] = {kind, bytes, map_traces(bytes)};
    if (kind == Kind::device) all.device_bytes += bytes;
    return memory;
}

void release_range(Kind kind, void* memory) noexcept {
    if (memory == nullptr) return;
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    const auto it = all.ranges.find(reinterpret_cast<std::uintptr_t>(memory));
    if (it == all.ranges.end() || it->second.kind != kind) {
        all.fault = fmt::format("emulated CUDA: release of {}, which {} did not give", memory, kind == Kind::device ? "allocate" : "allocate_host");
        return;
    }
    if (it->second.traces != nullptr) munmap(it->second.traces, trace_bytes(it->second.bytes));
    if (kind == Kind::device) all.device_bytes -= it->second.bytes;
    all.ranges.erase(it);
    std::free(memory);
}

void throw_fault() {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    if (!all.fault.empty()) throw Error(ExitCode::internal, std::exchange(all.fault, {}));
}

std::size_t device_bytes_used() {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    return all.device_bytes;
}

void check_reachable(const char* name, const void* first, std::size_t bytes) {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    if (all.find(first, bytes) == nullptr)
        throw_error(ExitCode::internal, "emulated CUDA: {}: {} bytes at {} are not in one piece of device memory", name, bytes, first);
}

void check_on_device(const char* name, const void* first, std::size_t bytes) {
    check_reachable(name, first, bytes);
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    if (all.find(first, bytes)->second.kind != Kind::device)
        throw_error(ExitCode::internal, "emulated CUDA: {}: {} is pinned host memory, expected device memory", name, first);
}

bool is_pinned(const void* first, std::size_t bytes) {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    const auto* const found = all.find(first, bytes);
    return found != nullptr && found->second.kind == Kind::pinned;
}

Trace* traces_of(const void* first) {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    const auto* const found = all.find(first, 0);
    if (found == nullptr || found->second.traces == nullptr) return nullptr;
    return found->second.traces + (reinterpret_cast<std::uintptr_t>(first) - found->first) / kUnit;
}

}  // namespace temper::cuda::emulation
