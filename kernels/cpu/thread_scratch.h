// Memory of a thread's own for kernels. It is asked for here, in code that every processor runs: a destructor instantiated in a file of one
// instruction set could be the one that the linker keeps for the whole program.
#pragma once
#include <cstddef>

namespace temper::cpu {

float* thread_scratch(
    std::size_t count);  // that many numbers at least, on a boundary of 64 bytes; whatever the last call on this thread left in them

}  // namespace temper::cpu
