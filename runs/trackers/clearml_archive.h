// ClearML's offline session of a run: what Task.import_offline_session reads. Made whole from the run's directory, so that it holds each figure once
// however often it is written.
#pragma once
#include <filesystem>
#include <string>

#include "runs/trackers/tracker.h"

namespace temper {

std::string clearml_offline_id(const TrackedRun& run);
void write_clearml_archive(const Push& push, const std::filesystem::path& path);

}  // namespace temper
