// Independent jobs on a few threads of their own, whose errors reach the caller.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace temper {

// job(index, state) for every index below count, on so many threads, each with a State of its own; the first error is thrown when all have
// ended.
template <class State, class Job> void run_jobs(int threads, std::int64_t count, const Job& job) {
    std::atomic<std::int64_t> next{0};
    std::mutex mutex;
    std::exception_ptr error;
    const auto work = [&] {
        try {
            State state;
            for (std::int64_t index = next++; index < count; index = next++) job(index, state);
        } catch (...) {
            next = count;
            const std::lock_guard lock(mutex);
            if (!error) error = std::current_exception();
        }
    };
    std::vector<std::thread> others;
    try {
        for (int i = 1; i < threads && i < count; ++i) others.emplace_back(work);
    } catch (const std::system_error&) {
        // No more threads are to be had: those that there are do the work.
    }
    work();
    for (std::thread& other : others) other.join();
    if (error) std::rethrow_exception(error);
}

}  // namespace temper
