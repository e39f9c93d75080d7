#include "runs/stop_signal.h"

#include <atomic>

#include <signal.h>

namespace temper {
namespace {

std::atomic<int> first_signal{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

void note_signal(int number) {
    int none = 0;
    first_signal.compare_exchange_strong(none, number);
}

}  // namespace

void install_stop_signals() {
    for (const int number : {SIGUSR1, SIGTERM, SIGINT}) {
        struct sigaction action {};
        action.sa_handler = note_signal;
        sigemptyset(&action.sa_mask);
        // A person who presses ^C twice means it; a scheduler that repeats its signal must not end the save under way.
        action.sa_flags = number == SIGINT ? SA_RESTART | static_cast<int>(SA_RESETHAND) : SA_RESTART;
        sigaction(number, &action, nullptr);
    }
}

int stop_requested() { return first_signal.load(); }
void clear_stop_request() { first_signal.store(0); }

}  // namespace temper
