// One tracker of one run, with its state file and the right to write it: what a job's thread and `temper runs sync` do alike.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "runs/trackers/tracker.h"

namespace temper {

class TrackerSession {
  public:
    TrackerSession(std::string name, const TrackedRun& run, const RowTimes& times, const TrackingSettings& settings);
    ~TrackerSession();
    TrackerSession(const TrackerSession&) = delete;
    TrackerSession& operator=(const TrackerSession&) = delete;

    const std::string& name() const { return name_; }
    std::string where() const { return tracker_->where(); }
    // False when another process is sending for this run at this moment. Errors are the tracker's.
    bool push(const std::function<bool()>& cancelled, const std::function<double()>& seconds_left);

  private:
    void load();
    void save() const;

    std::string name_;
    const TrackedRun& run_;
    const RowTimes& times_;
    TrackingSettings settings_;
    std::filesystem::path file_;
    Json state_;
    bool loaded_ = false;
    int lock_ = -1;
    std::unique_ptr<Tracker> tracker_;
};

}  // namespace temper
