// A launch as the CUDA runtime sees it, for host code without kernels of its own.
#pragma once
#include <cstdint>

#include "kernels/span.h"
#include "kernels/stream.h"

namespace temper::cuda {

struct Grid {
    std::int64_t x = 1, y = 1, z = 1;  // blocks; none at all where one is 0
};

struct Argument {
    const void* value;
    std::size_t bytes;
};
void launch_kernel(Stream& stream, const void* kernel, Grid grid, int threads, int shared_bytes, Span<const Argument> arguments);  // runtime.cpp

}  // namespace temper::cuda
