// A run in ClearML's terms, as its offline archive and its server take them alike.
#pragma once
#include <string>
#include <vector>

#include "runs/trackers/metric_stream.h"
#include "runs/trackers/tracked_run.h"

namespace temper {

// A scalar's event; figures that are no number are left out, JSON has none. As transformers names them: metric "loss", variant "train" or "eval".
Json clearml_events(const std::vector<Point>& points, const std::string& task);
Json clearml_single_values(const TrackedRun& run, const std::string& task);  // the record's figures, which have no step
Json clearml_parameters(const TrackedRun& run);                              // [{section, name, value, type, description}]
Json clearml_tags(const TrackedRun& run);
std::string clearml_type(const TrackedRun& run);  // "training", "testing", ...
std::string clearml_run_tag(const TrackedRun& run);
// An entry of the list of artifacts.
Json clearml_artifact(const TrackedRun& run, const TrackedRun::File& file, const std::string& uri, const std::string& sha256);

}  // namespace temper
