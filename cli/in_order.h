// Work that threads share: pieces are taken one after the other, made by any thread, and given away in the order in which they were taken.
// A thread holds one piece at a time, so that no more of them are in memory than there are threads.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace temper {

// take(piece) -> bool, false where there is nothing more; make(piece), many at a time; give(piece). What the first piece to fail throws is
// thrown here, and nothing behind it is given away.
template <class Piece, class Take, class Make, class Give> void in_order(int threads, Take take, Make make, Give give) {
    std::mutex taking, giving;
    std::condition_variable turn_passed;
    std::uint64_t taken = 0, turn = 0;
    std::atomic<bool> over{false};
    std::exception_ptr failure;
    const auto attempt = [](std::exception_ptr& own, const auto& action) {
        try {
            if (!own) action();
        } catch (...) {
            own = std::current_exception();
        }
    };
    const auto work = [&] {
        while (true) {
            Piece piece;
            std::uint64_t number = 0;
            bool any = true;
            std::exception_ptr own;
            {
                const std::lock_guard<std::mutex> lock(taking);
                if (over) return;
                number = taken++;
                attempt(own, [&] { any = take(piece); });
                if (own || !any) over = true;
            }
            if (any) attempt(own, [&] { make(piece); });
            {
                std::unique_lock<std::mutex> lock(giving);
                turn_passed.wait(lock, [&] { return turn == number || failure; });
                if (failure) return;
                if (any) attempt(own, [&] { give(piece); });
                ++turn;
                if (own) failure = own;
                if (own || !any) over = true;
            }
            turn_passed.notify_all();
        }
    };
    std::vector<std::thread> others;
    try {
        for (int i = 1; i < threads; ++i) others.emplace_back(work);
    } catch (const std::system_error&) {
        // Those that could be started will do.
    }
    work();
    for (std::thread& other : others) other.join();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace temper
