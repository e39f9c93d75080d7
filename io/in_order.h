// Work that threads share: pieces are taken one after the other, made by any thread, and given away in the order in which they were taken.
// A thread that is ahead of another goes on with its next piece; no more are in memory than three times the threads.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace temper {

// take(piece) -> bool, false where there is nothing more; make(piece), many at a time; give(piece). What the first piece to fail throws is
// thrown here, and nothing behind it is given away.
template <class Piece, class Take, class Make, class Give> void in_order(int threads, Take take, Make make, Give give) {
    struct Finished {
        Piece piece;
        bool any;
        std::exception_ptr failure;
    };
    const auto ahead = static_cast<std::uint64_t>(threads) * 2;
    std::mutex taking, giving;
    std::condition_variable turn_passed;
    std::map<std::uint64_t, Finished> finished;  // by number, not given away yet
    std::uint64_t taken = 0, turn = 0;
    std::atomic<bool> over{false};
    bool someone_gives = false;
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
            std::unique_lock<std::mutex> lock(giving);
            turn_passed.wait(lock, [&] { return number < turn + ahead || failure; });
            if (failure) return;
            finished.emplace(number, Finished{std::move(piece), any, own});
            if (someone_gives) continue;
            someone_gives = true;
            while (!failure && !finished.empty() && finished.begin()->first == turn) {
                Finished next = std::move(finished.extract(finished.begin()).mapped());
                lock.unlock();
                if (next.any) attempt(next.failure, [&] { give(next.piece); });
                if (next.failure) over = true;
                lock.lock();
                failure = next.failure;
                ++turn;
                turn_passed.notify_all();
            }
            someone_gives = false;
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
