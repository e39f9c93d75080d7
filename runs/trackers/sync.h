// What trackers have missed, sent later: `temper runs sync`.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "runs/trackers/settings.h"

namespace temper {

struct SyncResult {
    std::string tracker, where;
    bool complete = false;
    std::string problem;  // why it is not
};

// Sends, on this thread, what the run's trackers have not: those that it reported to, and those that the settings choose now. A run that is still worked on is
// left to its own process. `seconds`: time for each tracker, which is tried again a few times.
std::vector<SyncResult> sync_run(const std::filesystem::path& run, const TrackingSettings& settings, double seconds);

}  // namespace temper
