#include "serve/repeated.h"

#include <chrono>

namespace temper {

Repeated::Repeated(double seconds, std::function<void()> work)
    : thread_([this, pause = std::chrono::duration<double>(seconds), work = std::move(work)] {
          for (;;) {
              {
                  std::unique_lock lock(mutex_);
                  if (ended_.wait_for(lock, pause, [&] { return ending_; })) return;
              }
              work();
          }
      }) {}

Repeated::~Repeated() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    ended_.notify_all();
    thread_.join();
}

}  // namespace temper
