// Threads: a loop over independent items, shared by exactly stream.threads() threads. Which thread takes which item is open,
// so an item must write only what belongs to it and compute the same whoever runs it. Functions must not throw.
#pragma once
#include <cstdint>
#include <type_traits>

#include "kernels/stream.h"

namespace temper::cpu {

// function(item) or function(item, thread), thread < stream.threads(), which picks a thread's own part of scratch.
template <class Function> void parallel_for(const Stream& stream, std::int64_t count, const Function& function);

}  // namespace temper::cpu

#ifdef _OPENMP
#include <omp.h>
#endif

namespace temper::cpu {

template <class Function> void parallel_for([[maybe_unused]] const Stream& stream, std::int64_t count, const Function& function) {
    const auto run = [&function](std::int64_t item, [[maybe_unused]] int thread) {
        if constexpr (std::is_invocable_v<const Function&, std::int64_t, int>) function(item, thread);
        else function(item);
    };
#ifdef _OPENMP
    if (stream.threads() > 1 && count > 1) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(stream.threads())
        for (std::int64_t item = 0; item < count; ++item) run(item, omp_get_thread_num());
        return;
    }
#endif
    for (std::int64_t item = 0; item < count; ++item) run(item, 0);
}

}  // namespace temper::cpu
