#include "kernels/cuda/tables.h"

#include <cstring>
#include <string_view>
#include <utility>

#include "kernels/cuda/gemm.h"
#include "kernels/cuda/recording.h"

namespace temper::cuda {

Context::Tables::Tables() : pinned(static_cast<char*>(allocate_host(kRingBytes))), device(static_cast<char*>(allocate(kRingBytes))) {}

Context::Tables::~Tables() {
    forget();
    release(device);
    release_host(pinned);
}

const Context::Tables::Sent* Context::Tables::find(const void* values, std::size_t bytes, std::size_t hash) const {
    const auto [first, last] = sent.equal_range(hash);
    for (auto it = first; it != last; ++it)
        if (it->second.bytes == bytes && std::memcmp(it->second.pinned, values, bytes) == 0) return &it->second;
    return nullptr;
}

void Context::Tables::forget() {
    sent.clear();
    used = 0;
    for (const auto& [host, there] : large) release(there), release_host(host);
    large.clear();
}

const void* Context::upload(const void* values, std::size_t bytes) {
    if (bytes == 0) return nullptr;
    if (recorded() != nullptr) {
        if (const void* const table = recording_->take_table(values, bytes)) return table;
        spill();
    }
    Tables& tables = *tables_;
    const std::size_t hash = std::hash<std::string_view>{}({static_cast<const char*>(values), bytes});
    if (const Tables::Sent* const found = tables.find(values, bytes, hash)) return found->device;
    char *pinned, *device;
    if (bytes > Tables::kLargeBytes) {
        pinned = static_cast<char*>(allocate_host(bytes));
        device = static_cast<char*>(allocate(bytes));
        tables.large.emplace_back(pinned, device);
    } else {
        const std::size_t size = (bytes + 15) / 16 * 16;
        if (size > Tables::kRingBytes - tables.used) {
            // The copies have left pinned memory then. What this op had sent stands at the end of the ring, or is large: both stay for now.
            auto large = std::exchange(tables.large, {});
            tables.forget();
            synchronize();
            tables.large = std::move(large);
        }
        pinned = tables.pinned + tables.used;
        device = tables.device + tables.used;
        tables.used += size;
    }
    std::memcpy(pinned, values, bytes);
    copy_in(device, pinned, bytes);
    tables.sent.emplace(hash, Tables::Sent{pinned, device, bytes});
    return device;
}

MemoryUse Context::held() {
    MemoryUse use;
    use.device = Tables::kRingBytes + product_bytes();
    use.pinned = Tables::kRingBytes;
    if (graphs_are_wanted()) {
        use.device += Recording::kTableBytes;
        use.pinned += 2 * Recording::kTableBytes;
    }
    use.most_device = use.device;
    use.most_pinned = use.pinned;
    return use;
}

std::size_t Context::room_of_table(std::size_t bytes) const { return recording_ && recording_->active ? table_room(bytes) : bytes; }

}  // namespace temper::cuda
