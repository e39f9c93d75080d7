#include "kernels/cuda/memory_use.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>

namespace temper::cuda {
namespace {

struct Book {
    std::mutex mutex;
    std::unordered_map<const void*, std::pair<MemoryKind, std::size_t>> given;
    MemoryUse use;
};

Book& book() {
    static Book* const all = new Book;  // outlives whoever releases late
    return *all;
}

}  // namespace

void note_given(MemoryKind kind, const void* memory, std::size_t bytes) {
    Book& all = book();
    const std::lock_guard lock(all.mutex);
    all.given[memory] = {kind, bytes};
    MemoryUse& use = all.use;
    if (kind == MemoryKind::device) {
        use.device += bytes;
        use.most_device = std::max(use.most_device, use.device);
        ++use.device_allocations;
    } else {
        use.pinned += bytes;
        use.most_pinned = std::max(use.most_pinned, use.pinned);
    }
}

void note_back(const void* memory) noexcept {
    Book& all = book();
    const std::lock_guard lock(all.mutex);
    const auto it = all.given.find(memory);
    if (it == all.given.end()) return;
    const auto [kind, bytes] = it->second;
    (kind == MemoryKind::device ? all.use.device : all.use.pinned) -= bytes;
    all.given.erase(it);
}

MemoryUse memory_use() {
    Book& all = book();
    const std::lock_guard lock(all.mutex);
    return all.use;
}

}  // namespace temper::cuda
