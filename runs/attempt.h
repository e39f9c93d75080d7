// attempts/NNNN/: one a process that has owned the run. The directory appears by one rename with its owner.json inside, so that exactly
// one of several starters gets a number and nobody ever sees an attempt without an owner.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

#include "runs/process_identity.h"

namespace temper {

int last_attempt(const std::filesystem::path& run);  // 0 when there is none; io_error where they cannot be listed
std::filesystem::path attempt_path(const std::filesystem::path& run, int number);

// False when another starter was first. io_error when the directory cannot be written.
bool claim_attempt(const std::filesystem::path& run, int number, const ProcessIdentity& owner);
void mark_released(const std::filesystem::path& run, int number);

// Watches the owner of one attempt; times are this machine's monotonic clock.
class OwnerWatch {
  public:
    OwnerWatch(std::filesystem::path attempt, int number, ProcessIdentity self, double heartbeat_seconds);
    int attempt() const { return number_; }
    bool ended();  // released, its process is gone, or its heartbeat stood still
    bool heartbeat_seen() const { return beats_seen_ > 0; }
    bool on_this_machine() const { return owner_.same_machine(self_); }
    const ProcessIdentity& owner() const { return owner_; }

  private:
    std::filesystem::path attempt_;
    int number_;
    ProcessIdentity self_, owner_;
    double heartbeat_seconds_, last_change_;
    std::string beat_;
    int beats_seen_ = 0;
};

// Rewrites the attempt's heartbeat file every two seconds, from its own thread.
class Heartbeat {
  public:
    explicit Heartbeat(std::filesystem::path attempt);
    ~Heartbeat();

  private:
    void run();
    std::filesystem::path file_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stop_ = false;
    std::thread thread_;
};

double monotonic_seconds();

}  // namespace temper
