// launch() of kernels/cuda/launch.h: the grid runs to its end before it returns.
#pragma once
#include <array>
#include <tuple>
#include <utility>

#include "kernels/cuda/commands.h"
#include "kernels/cuda/emulation/block.h"
#include "kernels/cuda/emulation/registry.h"

namespace temper::cuda {

namespace emulation {
// What a device of compute capability 9.0 would refuse, and a grid without blocks: true where there is something to run.
bool check_launch(const Stream& stream, const std::array<std::int64_t, 3>& grid, int threads, int shared_bytes);
void note_launch(const void* kernel, int threads, int shared_bytes);
}  // namespace emulation

namespace emulation {

template <class... Parameters> using KernelCall = std::pair<void (*)(Parameters...), std::tuple<std::remove_const_t<Parameters>...>>;

template <class... Parameters> void run_call(const KernelCall<Parameters...>& call, Grid grid, int threads, int shared_bytes) {
    Block::of_os_thread().run_grid(
        {grid.x, grid.y, grid.z}, threads, shared_bytes,
        [](const void* context) {
            const auto& made = *static_cast<const KernelCall<Parameters...>*>(context);
            std::apply(made.first, made.second);
        },
        &call);
}

// A launch that was recorded, from the copies of its arguments.
template <class... Parameters, std::size_t... I> void run_recorded(const char* payload, std::index_sequence<I...>) {
    const RecordedLaunch launch = launch_of(payload);
    [[maybe_unused]] const std::array<void*, kMostArguments> arguments = arguments_of(payload);
    const auto kernel = reinterpret_cast<void (*)(Parameters...)>(const_cast<void*>(launch.kernel));
    run_call<Parameters...>({kernel, {*static_cast<std::remove_const_t<Parameters>*>(arguments[I])...}}, launch.grid, launch.threads,
                            launch.shared_bytes);
}
template <class... Parameters> void issue_launch(Context&, const char* payload) {
    run_recorded<Parameters...>(payload, std::index_sequence_for<Parameters...>());
}

}  // namespace emulation

template <class... Parameters, class... Arguments>
void launch(Stream& stream, void (*kernel)(Parameters...), Grid grid, int threads, int shared_bytes, const Arguments&... arguments) {
    static_assert(sizeof...(Parameters) == sizeof...(Arguments), "one argument a parameter");
    emulation::KernelCall<Parameters...> call(kernel, std::tuple<std::remove_const_t<Parameters>...>(arguments...));
    if (!emulation::check_launch(stream, {grid.x, grid.y, grid.z}, threads, shared_bytes)) return;
    emulation::note_launch(reinterpret_cast<const void*>(kernel), threads, shared_bytes);
    Commands* const commands = stream.cuda().recorded();
    if (commands == nullptr) return emulation::run_call(call, grid, threads, shared_bytes);
    std::apply(
        [&](auto&... values) {
            (clear_padding(values), ...);
            const Argument pointers[] = {{static_cast<const void*>(&values), sizeof values}..., {}};
            add_launch(*commands, emulation::issue_launch<Parameters...>, {reinterpret_cast<const void*>(kernel), grid, threads, shared_bytes},
                       {pointers, sizeof...(values)});
        },
        call.second);
}

}  // namespace temper::cuda
