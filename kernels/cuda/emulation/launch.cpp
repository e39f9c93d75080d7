#include "kernels/cuda/launch.h"

#include "kernels/error.h"

namespace temper::cuda::emulation {

bool check_launch(const Stream& stream, const std::array<std::int64_t, 3>& grid, int threads, int shared_bytes) {
    throw_fault();
    if (stream.device() != Device::cuda) throw_error(ExitCode::internal, "emulated CUDA: launch on a stream of the CPU");
    if (threads < kLanes || threads > kMostThreads || threads % kLanes != 0)
        throw_error(ExitCode::internal, "emulated CUDA: launch with {} threads a block, expected whole warps, at most {}", threads, kMostThreads);
    if (shared_bytes < 0 || shared_bytes > kMostSharedBytes)
        throw_error(ExitCode::internal, "emulated CUDA: launch with {} bytes of shared memory, a block has at most {}", shared_bytes,
                    kMostSharedBytes);
    if (grid[0] < 0 || grid[1] < 0 || grid[2] < 0 || grid[0] > 0x7fffffff || grid[1] > 0xffff || grid[2] > 0xffff)
        throw_error(ExitCode::internal, "emulated CUDA: launch of ({}, {}, {}) blocks, at most (2147483647, 65535, 65535) are possible", grid[0],
                    grid[1], grid[2]);
    return grid[0] > 0 && grid[1] > 0 && grid[2] > 0;
}

}  // namespace temper::cuda::emulation
