#include "runs/trackers/tracker_session.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "io/durable.h"
#include "io/json_text.h"
#include "io/log.h"
#include "kernels/error.h"

namespace temper {

std::unique_ptr<Tracker> make_tracker(const std::string& name, const TrackingSettings& settings) {
    if (name == "mlflow") return make_mlflow_tracker(settings);
    if (name == "clearml") return make_clearml_tracker(settings);
    if (name == "tensorboard") return make_tensorboard_tracker(settings);
    return make_otlp_tracker(settings);
}

TrackerSession::TrackerSession(std::string name, const TrackedRun& run, const RowTimes& times, const TrackingSettings& settings)
    : name_(std::move(name)),
      run_(run),
      times_(times),
      settings_(settings),
      file_(run.directory() / "trackers" / (name_ + ".json")),
      tracker_(make_tracker(name_, settings)) {}

TrackerSession::~TrackerSession() {
    if (lock_ >= 0) ::close(lock_);
}

void TrackerSession::load() {
    state_ = Json::object();
    loaded_ = true;
    if (!std::filesystem::exists(file_)) return save();  // should no server ever answer, a sync knows which one it was
    try {
        state_ = parse_json(read_file(file_, std::size_t(16) << 20), file_.string());
        if (!state_.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object", file_.string());
    } catch (const Error& error) {
        // The server knows what it has; the file only saves asking.
        log_warning("{}: {}; everything is compared with {} again", name_, error.what(), where());
        state_ = Json::object();
    }
}

void TrackerSession::save() const {
    Json state = state_;
    state["places"] = places_json(settings_);
    write_durable(file_, json_text(state, 1) + "\n");
}

bool TrackerSession::push(const std::function<bool()>& cancelled, const std::function<double()>& seconds_left) {
    if (lock_ < 0) lock_ = ::open((file_.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock_ >= 0 && ::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
        loaded_ = false;  // what the other process sends will stand in the file
        return false;
    }
    struct Unlock {
        int file;
        ~Unlock() { ::flock(file, LOCK_UN); }
    } unlock{lock_};
    if (!loaded_) load();
    Push push{{cancelled, seconds_left}, run_, times_, settings_, state_, [this] { save(); }};
    tracker_->push(push);
    return true;
}

}  // namespace temper
