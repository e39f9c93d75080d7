#include "kernels/cpu/thread_scratch.h"

#include <cstdint>
#include <vector>

namespace temper::cpu {

float* thread_scratch(std::size_t count) {
    constexpr std::size_t boundary = 64 / sizeof(float);
    thread_local std::vector<float> memory;
    if (memory.size() < count + boundary) memory.resize(count + boundary);
    return reinterpret_cast<float*>((reinterpret_cast<std::uintptr_t>(memory.data()) + 63) / 64 * 64);
}

}  // namespace temper::cpu
