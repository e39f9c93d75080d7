#include "kernels/cuda/emulation/memory.h"

#include "kernels/error.h"

namespace temper::cuda::emulation {

void fail_bounds(const char* memory, std::int64_t index, std::int64_t elements, std::int64_t count) {
    fail(fmt::format("{} memory: index {}{}, of {} elements", memory, index, elements > 1 ? fmt::format(" (and {} behind it)", elements - 1) : "",
                     count));
}

void fail_alignment(const char* memory, std::int64_t index, std::size_t bytes) {
    fail(fmt::format("{} memory: access of {} bytes at index {}, which is not a multiple of {} bytes", memory, bytes, index, bytes));
}

void check_shared_range(int byte_offset, int count, std::size_t size) {
    const int have = running().shared_bytes();
    const std::int64_t end = byte_offset + static_cast<std::int64_t>(count) * static_cast<std::int64_t>(size);
    if (byte_offset < 0 || byte_offset % 16 != 0 || count < 0)
        fail(fmt::format("shared memory: {} elements from byte {}, expected a multiple of 16", count, byte_offset));
    if (end > have) fail(fmt::format("shared memory: {} elements from byte {} end at byte {}, the launch gave {}", count, byte_offset, end, have));
}

}  // namespace temper::cuda::emulation
