// Does something every so many seconds, on a thread of its own, until it is destroyed.
#pragma once
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace temper {

class Repeated {
  public:
    // `work` must not throw. The first time is after one pause.
    Repeated(double seconds, std::function<void()> work);
    ~Repeated();  // waits for the work that is under way
    Repeated(const Repeated&) = delete;
    Repeated& operator=(const Repeated&) = delete;

  private:
    std::mutex mutex_;
    std::condition_variable ended_;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace temper
