// launch() of kernels/cuda/launch.h: the grid runs to its end before it returns.
#pragma once
#include <tuple>

#include "kernels/cuda/emulation/block.h"
#include "kernels/cuda/emulation/registry.h"

namespace temper::cuda {

namespace emulation {
// What a device of compute capability 9.0 would refuse, and a grid without blocks: true where there is something to run.
bool check_launch(const Stream& stream, const std::array<std::int64_t, 3>& grid, int threads, int shared_bytes);
void note_launch(const void* kernel, int threads, int shared_bytes);
}  // namespace emulation

template <class... Parameters, class... Arguments>
void launch(Stream& stream, void (*kernel)(Parameters...), Grid grid, int threads, int shared_bytes, const Arguments&... arguments) {
    static_assert(sizeof...(Parameters) == sizeof...(Arguments), "one argument a parameter");
    using Call = std::pair<void (*)(Parameters...), std::tuple<std::remove_const_t<Parameters>...>>;
    const Call call(kernel, std::tuple<std::remove_const_t<Parameters>...>(arguments...));
    const std::array<std::int64_t, 3> size = {grid.x, grid.y, grid.z};
    if (!emulation::check_launch(stream, size, threads, shared_bytes)) return;
    emulation::note_launch(reinterpret_cast<const void*>(kernel), threads, shared_bytes);
    emulation::Block::of_os_thread().run_grid(
        size, threads, shared_bytes,
        [](const void* context) {
            const Call& made = *static_cast<const Call*>(context);
            std::apply(made.first, made.second);
        },
        &call);
}

}  // namespace temper::cuda
