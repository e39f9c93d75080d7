// Asynchronous copies of a thread: the bytes are taken when the copy is asked for and arrive when the thread waits for their group.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

namespace temper::cuda::emulation {

struct Trace;

struct Copies {
    struct Copy {
        unsigned char* to;
        Trace* traces;  // null where nothing is traced
        std::array<unsigned char, 16> bytes;
        std::uint32_t group;
    };
    std::vector<Copy> under_way;  // in the order of their groups
    std::uint32_t groups = 0;     // committed

    void clear() { under_way.clear(), groups = 0; }
    void wait(std::uint32_t but_last);
};

// `from` is null where zeros arrive.
void begin_copy(unsigned char* to, Trace* traces, const void* from);

}  // namespace temper::cuda::emulation
