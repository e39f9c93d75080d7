#include "runs/trackers/clearml_events.h"

#include <cmath>

namespace temper {
namespace {

Json event(const std::string& task, std::int64_t time, std::int64_t step, const std::string& metric, const std::string& variant, double value) {
    return {{"timestamp", time}, {"type", "training_stats_scalar"},
            {"task", task},      {"iter", step},
            {"metric", metric},  {"variant", variant},
            {"value", value},    {"method", "get"}};
}

}  // namespace

Json clearml_events(const std::vector<Point>& points, const std::string& task) {
    Json events = Json::array();
    for (const Point& point : points) {
        const bool evaluation = point.name.starts_with("eval_");
        if (std::isfinite(point.value))
            events.push_back(
                event(task, point.time, point.step, evaluation ? point.name.substr(5) : point.name, evaluation ? "eval" : "train", point.value));
    }
    return events;
}

Json clearml_single_values(const TrackedRun& run, const std::string& task) {
    constexpr std::int64_t no_step = -2147483648;  // how ClearML marks them
    Json events = Json::array();
    for (const auto& [name, value] : run.figures())
        if (std::isfinite(value)) events.push_back(event(task, run.time("finished_at"), no_step, "Summary", name, value));
    return events;
}

Json clearml_parameters(const TrackedRun& run) {
    Json list = Json::array();
    for (const auto& [name, value] : run.parameters())
        list.push_back({{"section", "General"}, {"name", name}, {"value", value}, {"type", ""}, {"description", ""}});
    return list;
}

Json clearml_artifact(const TrackedRun& run, const TrackedRun::File& file, const std::string& uri, const std::string& sha256) {
    return {{"key", file.name},
            {"type", "custom"},
            {"mode", "output"},
            {"uri", uri},
            {"hash", sha256},
            {"content_size", std::filesystem::file_size(file.path)},
            {"timestamp", run.time("finished_at") / 1000}};
}

std::string clearml_run_tag(const TrackedRun& run) { return "temper.run_id:" + run.id(); }

Json clearml_tags(const TrackedRun& run) {
    Json tags = Json::array({clearml_run_tag(run)});
    for (const auto& [name, value] : run.tags())
        if (name.find("temper.") != 0 || name == "temper.parent" || name == "temper.git") tags.push_back(name + ":" + value);
    return tags;
}

std::string clearml_type(const TrackedRun& run) {
    const std::string kind = run.kind();
    if (kind == "sft" || kind == "dpo") return "training";
    if (kind == "eval" || kind == "score") return "testing";
    if (kind == "dataset" || kind == "features" || kind == "embed") return "data_processing";
    return "custom";
}

}  // namespace temper
