// Tables that a context has sent since its host last synchronized. They lie in a ring of device memory, with their twins in pinned memory, from
// where they are copied; a table that would fill much of the ring has memory of its own.
#pragma once
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "kernels/cuda/runtime.h"

namespace temper::cuda {

struct Context::Tables {
    static constexpr std::size_t kRingBytes = std::size_t{4} << 20, kLargeBytes = kRingBytes / 4;

    struct Sent {
        const char* pinned;
        char* device;
        std::size_t bytes;
    };

    Tables();
    ~Tables();
    Tables(const Tables&) = delete;
    Tables& operator=(const Tables&) = delete;

    const Sent* find(const void* values, std::size_t bytes, std::size_t hash) const;
    // The host has synchronized: nothing that was sent is in use any more.
    void forget();

    char* pinned = nullptr;
    char* device = nullptr;
    std::size_t used = 0;
    std::unordered_multimap<std::size_t, Sent> sent;  // by the hash of their contents
    std::vector<std::pair<char*, char*>> large;       // pinned, device
};

}  // namespace temper::cuda
