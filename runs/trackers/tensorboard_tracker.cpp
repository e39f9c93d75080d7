// TensorBoard: one event file a run, which grows with the journal. The state holds how much of it is known to be whole: what a killed process wrote behind
// that is cut away and written again, so that each figure stands in it once.
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "io/log.h"
#include "kernels/error.h"
#include "runs/process_identity.h"
#include "runs/trackers/event_file.h"
#include "runs/trackers/metric_stream.h"
#include "runs/trackers/tracker.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

// As transformers names them: "train/loss", "eval/loss".
std::string tensorboard_tag(const std::string& name) { return name.starts_with("eval_") ? "eval/" + name.substr(5) : "train/" + name; }

class EventFile {
  public:
    EventFile(const fs::path& path, std::int64_t length) : path_(path) {
        file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (file_ < 0 || ::ftruncate(file_, length) != 0 || ::lseek(file_, length, SEEK_SET) != length) fail("open");
    }
    ~EventFile() { ::close(file_); }
    EventFile(const EventFile&) = delete;
    EventFile& operator=(const EventFile&) = delete;

    void append(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t count = ::write(file_, bytes.data(), bytes.size());
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) fail("write");
            bytes.remove_prefix(static_cast<std::size_t>(count));
        }
    }
    void sync() {
        if (::fdatasync(file_) != 0) fail("fdatasync");
    }

  private:
    [[noreturn]] void fail(const char* what) const { throw_error(ExitCode::io_error, "{}: {}: {}", path_.string(), what, std::strerror(errno)); }
    fs::path path_;
    int file_ = -1;
};

class TensorboardTracker final : public Tracker {
  public:
    explicit TensorboardTracker(const TrackingSettings& settings) : folder_(settings.tensorboard_dir.value_or("")) {}

    void push(Push& push) override {
        open(push);
        if (!push.state.value("described", false) && !push.run.parameters().empty()) {
            std::string page;
            for (const auto& [name, value] : push.run.parameters()) page += fmt::format("    {}: {}\n", name, value);
            pending_ += text_event(push.run.time("created_at"), "config", page);
            push.state["described"] = true;
            commit(push);
        }
        send(push, MetricStream::Part::computed, "computed");
        send(push, MetricStream::Part::measured, "measured");
        if (push.run.finished() && !push.state.value("final", false)) finish(push);
    }

    std::string where() const override { return "TensorBoard's files" + (folder_.empty() ? "" : " in " + folder_); }

  private:
    void open(Push& push) {
        if (!push.state.contains("file")) {
            const fs::path folder = folder_.empty() ? push.run.directory() / "tensorboard" : fs::path(folder_) / push.run.id();
            const std::int64_t created = push.run.time("created_at");
            push.state["file"] = fs::absolute(folder / fmt::format("events.out.tfevents.{}.{}.temper", created / 1000, host_name())).string();
        }
        const fs::path path = push.state["file"].get<std::string>();
        std::error_code error;
        const auto size = static_cast<std::int64_t>(fs::file_size(path, error));
        if (error || size < push.state.value("length", std::int64_t(0))) {  // gone, or a power cut took what was promised: all of it anew
            push.state = Json{{"file", path.string()}};
            fs::create_directories(path.parent_path());
        }
        if (push.state.value("length", std::int64_t(0)) == 0) {
            pending_ = event_file_header(push.run.time("created_at"));
            commit(push);
        }
    }

    // What is pending becomes part of the file, and the state says so.
    void commit(Push& push) {
        const std::int64_t length = push.state.value("length", std::int64_t(0));
        EventFile file(push.state["file"].get<std::string>(), length);
        file.append(pending_);
        file.sync();
        push.state["length"] = length + static_cast<std::int64_t>(pending_.size());
        pending_.clear();
        push.save();
    }

    void send(Push& push, MetricStream::Part part, const char* place) {
        MetricStream stream(push.run.journal(), part, push.state.value(place, Json()));
        const std::int64_t end = part == MetricStream::Part::measured ? push.run.settled() : std::numeric_limits<std::int64_t>::max();
        while (!push.cancelled()) {
            const std::vector<Point> points = stream.next(4096, end, push.times, push.run.time("updated_at"));
            if (points.empty()) return;
            for (const Point& point : points) pending_ += scalar_event(point.time, point.step, tensorboard_tag(point.name), point.value);
            push.state[place] = stream.place();
            push.state["last_step"] = std::max(push.state.value("last_step", std::int64_t(0)), stream.last_step());
            commit(push);
        }
        throw_error(ExitCode::io_error, "{}: no time is left", push.state["file"].get<std::string>());
    }

    void finish(Push& push) {
        for (const auto& [name, value] : push.run.figures())
            pending_ += scalar_event(push.run.time("finished_at"), push.state.value("last_step", std::int64_t(0)), "final/" + name, value);
        push.state["final"] = true;
        commit(push);
    }

    std::string folder_, pending_;
};

}  // namespace

std::unique_ptr<Tracker> make_tensorboard_tracker(const TrackingSettings& settings) { return std::make_unique<TensorboardTracker>(settings); }

}  // namespace temper
