// Host side of a kernel: its arguments and its launch.
#pragma once
#include <tuple>

#include "kernels/cuda/commands.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/runtime.h"
#include "kernels/ops.h"

namespace temper::cuda {

// Everything that a view reaches, spare columns included. An empty view gives an empty Global.
template <class T> Global<T> global(const View& view) {
    if (view.empty() || view.elements() == 0) return {};
    if (view.device != Device::cuda) throw_error(ExitCode::internal, "a CUDA kernel was given {}, which lies in the host's memory", view.describe());
    using Number = std::remove_const_t<T>;
    std::int64_t last = view.spare;
    for (int i = 0; i < view.rank; ++i) last += (view.size(i) - 1) * view.stride[static_cast<std::size_t>(i)];
    return Global<T>(view.as<Number>(), last + 1);
}

// Host numbers as a table in device memory, for the op that asks (Context::upload).
template <class T> Global<const std::remove_const_t<T>> upload(Stream& stream, Span<T> values) {
    if (values.empty()) return {};
    const std::size_t bytes = values.size() * sizeof(T);
    const void* const table = stream.cuda().upload(values.data(), bytes);
    return {static_cast<const T*>(table), static_cast<std::int64_t>(stream.cuda().room_of_table(bytes) / sizeof(T))};
}

#ifdef __CUDACC__
// kernel<<<grid, threads, shared_bytes>>>(arguments...) on the stream's queue.
template <class... Parameters, class... Arguments>
void launch(Stream& stream, void (*kernel)(Parameters...), Grid grid, int threads, int shared_bytes, const Arguments&... arguments) {
    static_assert(sizeof...(Parameters) == sizeof...(Arguments), "one argument a parameter");
    std::tuple<std::remove_const_t<Parameters>...> converted(arguments...);
    std::apply(
        [&](auto&... values) {
            (clear_padding(values), ...);
            [[maybe_unused]] const Argument pointers[] = {{static_cast<void*>(&values), sizeof values}..., {}};  // used, which CUDA 11.8 misses
            launch_kernel(stream, reinterpret_cast<const void*>(kernel), grid, threads, shared_bytes, {pointers, sizeof...(values)});
        },
        converted);
}
#endif

// Blocks of `size` that cover `count`.
constexpr std::int64_t blocks(std::int64_t count, std::int64_t size) { return (count + size - 1) / size; }

}  // namespace temper::cuda

#ifndef __CUDACC__
#include "kernels/cuda/emulation/launch.h"
#endif
