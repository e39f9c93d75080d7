#include "runs/attempt.h"

#include <cerrno>
#include <chrono>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "io/durable.h"
#include "io/folder_listing.h"
#include "io/system_calls.h"
#include "kernels/error.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

// Not through system_calls(): the heartbeat has a thread of its own and no failure of it matters to the run.
void write_beat(const fs::path& file, long long beat) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);  // opened anew each time, which is what makes it visible over NFS
    if (fd < 0) return;
    const std::string text = fmt::format("{:020}\n", beat);
    [[maybe_unused]] const ssize_t written = ::pwrite(fd, text.data(), text.size(), 0);
    ::close(fd);
}

std::string read_or_empty(const fs::path& path) {
    try {
        return read_file(path, 65536);
    } catch (const Error&) {
        return {};
    }
}

}  // namespace

double monotonic_seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

fs::path attempt_path(const fs::path& run, int number) { return run / "attempts" / fmt::format("{:04}", number); }

int last_attempt(const fs::path& run) {
    int last = 0;
    for (const fs::path& path : entries_of(run / "attempts")) {
        const std::string name = path.filename().string();
        if (!name.empty() && name.size() <= 9 && name.find_first_not_of("0123456789") == std::string::npos) last = std::max(last, std::stoi(name));
    }
    return last;
}

bool claim_attempt(const fs::path& run, int number, const ProcessIdentity& owner) {
    const fs::path attempts = run / "attempts", fresh = attempts / fmt::format(".new-{}-{}", owner.host, owner.pid);
    if (system_calls().mkdir(attempts.c_str(), 0777) != 0 && errno != EEXIST) {
        throw_error(ExitCode::io_error, "{}: mkdir: {}; the run directory must be writable", attempts.string(), std::strerror(errno));
    }
    std::error_code ignored;
    fs::remove_all(fresh, ignored);
    if (system_calls().mkdir(fresh.c_str(), 0777) != 0) throw_error(ExitCode::io_error, "{}: mkdir: {}", fresh.string(), std::strerror(errno));
    int error = 0;
    try {
        write_durable(fresh / "owner.json", owner.to_json().dump(2) + "\n");
        write_durable(fresh / "heartbeat", fmt::format("{:020}\n", 0));
        if (system_calls().rename(fresh.c_str(), attempt_path(run, number).c_str()) == 0) return true;
        error = errno;
    } catch (const Error&) {
        fs::remove_all(fresh, ignored);
        throw;
    }
    fs::remove_all(fresh, ignored);
    if (error == ENOTEMPTY || error == EEXIST) return false;
    throw_error(ExitCode::io_error, "{}: rename onto it: {}", attempt_path(run, number).string(), std::strerror(error));
}

void mark_released(const fs::path& run, int number) {
    const int fd = system_calls().open((attempt_path(run, number) / "released").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd >= 0) system_calls().close(fd);  // otherwise the end of our process says the same
}

OwnerWatch::OwnerWatch(fs::path attempt, int number, ProcessIdentity self, double heartbeat_seconds)
    : attempt_(std::move(attempt)),
      number_(number),
      self_(std::move(self)),
      heartbeat_seconds_(heartbeat_seconds),
      last_change_(monotonic_seconds()) {
    const Json json = Json::parse(read_or_empty(attempt_ / "owner.json"), nullptr, false);
    if (json.is_object()) owner_ = ProcessIdentity::from_json(json);
    beat_ = read_or_empty(attempt_ / "heartbeat");
}

bool OwnerWatch::ended() {
    if (fs::exists(attempt_ / "released")) return true;
    if (on_this_machine()) return !owner_.alive();
    const std::string beat = read_or_empty(attempt_ / "heartbeat");
    if (beat != beat_) {
        beat_ = beat;
        last_change_ = monotonic_seconds();
        ++beats_seen_;
    }
    return monotonic_seconds() - last_change_ > heartbeat_seconds_;
}

Heartbeat::Heartbeat(fs::path attempt) : file_(attempt / "heartbeat"), thread_([this] { run(); }) {}

Heartbeat::~Heartbeat() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void Heartbeat::run() {
    std::unique_lock lock(mutex_);
    for (long long beat = 1; !wake_.wait_for(lock, std::chrono::seconds(2), [this] { return stop_; }); ++beat) write_beat(file_, beat);
}

}  // namespace temper
