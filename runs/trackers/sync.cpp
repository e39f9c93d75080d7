#include "runs/trackers/sync.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "io/durable.h"
#include "kernels/error.h"
#include "runs/attempt.h"
#include "runs/trackers/tracker_http.h"
#include "runs/trackers/tracker_session.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

constexpr int attempts = 4;

// Its process lives: on this machine that is known at once, elsewhere by the heartbeat, which is watched for a while.
bool is_worked_on(const TrackedRun& run) {
    const int last = last_attempt(run.directory());
    if (run.status() != "running" || last == 0) return false;
    OwnerWatch watch(attempt_path(run.directory(), last), last, ProcessIdentity::self(), 30.0);
    while (!watch.ended()) {
        if (watch.on_this_machine() || watch.heartbeat_seen()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    return false;
}

SyncResult sync_tracker(const std::string& name, const TrackedRun& run, const RowTimes& times, const TrackingSettings& settings, double seconds) {
    SyncResult result{name, "", false, ""};
    const double end = monotonic_seconds() + seconds;
    const auto left = [end] { return end - monotonic_seconds(); };
    try {
        TrackerSession session(name, run, times, settings);
        result.where = session.where();
        double pause = 0.5;
        for (int attempt = 1; !result.complete; ++attempt, pause *= 2) {
            try {
                result.complete = session.push([left] { return left() <= 0; }, left);
                if (!result.complete) throw_error(ExitCode::run_locked, "another process is sending for this run");
            } catch (const Error& error) {
                if (attempt == attempts || left() <= pause) throw;
                std::this_thread::sleep_for(std::chrono::duration<double>(std::min(left(), std::max(pause, wait_asked_by(error)))));
            }
        }
    } catch (const std::exception& error) {
        result.problem = error.what();
    }
    return result;
}

// Where the run reported to.
Json known_places(const fs::path& state) {
    if (!fs::exists(state)) return {};
    const Json json = parse_json(read_file(state, std::size_t(16) << 20), state.string());
    return json.is_object() && json.contains("places") ? json["places"] : Json();
}

}  // namespace

std::vector<SyncResult> sync_run(const fs::path& path, const TrackingSettings& given, double seconds) {
    TrackedRun run(path);
    if (is_worked_on(run)) throw_error(ExitCode::run_locked, "{}: its process still runs and reports for itself", path.string());
    run.settle_all();
    const TrackingSettings settings = with_environment(given);
    std::vector<std::string> names = chosen_trackers(settings);
    std::error_code ignored;
    for (const char* name : {"mlflow", "clearml", "tensorboard", "otlp"})
        if (fs::exists(path / "trackers" / (std::string(name) + ".json"), ignored) && std::find(names.begin(), names.end(), name) == names.end())
            names.emplace_back(name);
    if (names.empty()) return {};
    fs::create_directories(path / "trackers");
    const RowTimes times(path / "trackers" / "times", run.journal_length());
    std::vector<SyncResult> results;
    for (const std::string& name : names) {
        TrackingSettings own = settings;
        take_places(own, known_places(path / "trackers" / (name + ".json")));
        results.push_back(sync_tracker(name, run, times, own, seconds));
    }
    return results;
}

}  // namespace temper
