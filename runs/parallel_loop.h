// A loop on several threads whose errors reach the caller; one that left an OpenMP region by itself would end the process.
#pragma once
#include <cstdint>
#include <exception>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace temper {

// body(index, state) for every index below count, on so many threads, each with a state that make() has made; the first error is thrown when all have
// ended.
template <class Make, class Body> void parallel_loop([[maybe_unused]] int threads, std::int64_t count, const Make& make, const Body& body) {
    std::exception_ptr error;
#pragma omp parallel num_threads(threads)
    {
        std::int64_t all = 1, own = 0;
#ifdef _OPENMP
        all = omp_get_num_threads(), own = omp_get_thread_num();
#endif
        try {
            auto state = make();
            for (std::int64_t i = count * own / all; i < count * (own + 1) / all; ++i) body(i, state);
        } catch (...) {
#pragma omp critical(temper_parallel_loop)
            if (!error) error = std::current_exception();
        }
    }
    if (error) std::rethrow_exception(error);
}

}  // namespace temper
