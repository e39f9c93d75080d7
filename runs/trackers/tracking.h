// The trackers of a running job. Each has a thread of its own that reads the run's directory every other second and sends what is new; nothing that
// a server does or fails to do reaches the job, which waits for them at its end alone, for a stated time.
#pragma once
#include <cstdint>
#include <filesystem>
#include <list>
#include <memory>

#include "runs/trackers/settings.h"

namespace temper {

class Tracking {
  public:
    Tracking();   // of no tracker
    ~Tracking();  // finish(2)
    Tracking(const Tracking&) = delete;
    Tracking& operator=(const Tracking&) = delete;

    // Rank 0, after run.json is there and the journal was cut back. usage: settings that name no tracker or no place. Everything else that goes wrong is
    // logged once and tried again.
    void start(const std::filesystem::path& run, const TrackingSettings& settings = {});
    // A checkpoint has stored this length of metrics.jsonl: no resume will cut it below.
    void settled(std::int64_t journal_length);
    // The record says how the run ended: sends what is left, and gives up after so many seconds (and at most one more).
    void finish();
    void finish(double seconds);

  private:
    class Worker;
    struct Shared;
    std::unique_ptr<Shared> shared_;
    std::list<Worker> workers_;
};

}  // namespace temper
