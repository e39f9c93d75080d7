// A tracker sends what a run's directory says to one place. It reads the directory alone, and keeps what it has sent in trackers/NAME.json there,
// so that a job that was requeued, or `temper runs sync` days later, goes on where it stopped.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "runs/trackers/row_times.h"
#include "runs/trackers/settings.h"
#include "runs/trackers/tracked_run.h"
#include "runs/trackers/tracker_http.h"

namespace temper {

struct Push : Patience {
    const TrackedRun& run;
    const RowTimes& times;
    const TrackingSettings& settings;
    Json& state;                 // of this tracker; an object
    std::function<void()> save;  // writes it, durably
};

class Tracker {
  public:
    virtual ~Tracker() = default;
    // Sends all that is new, in order. An Error when that failed: what was sent before stands in the state, and the next push begins by asking the
    // server what it has.
    virtual void push(Push& push) = 0;
    virtual std::string where() const = 0;  // for messages
};

std::unique_ptr<Tracker> make_mlflow_tracker(const TrackingSettings& settings);
std::unique_ptr<Tracker> make_clearml_tracker(const TrackingSettings& settings);
std::unique_ptr<Tracker> make_tensorboard_tracker(const TrackingSettings& settings);
std::unique_ptr<Tracker> make_otlp_tracker(const TrackingSettings& settings);
std::unique_ptr<Tracker> make_tracker(const std::string& name, const TrackingSettings& settings);

}  // namespace temper
