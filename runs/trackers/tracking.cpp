#include "runs/trackers/tracking.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "io/environment.h"
#include "io/http/url.h"
#include "io/log.h"
#include "kernels/error.h"
#include "runs/trackers/tracker_http.h"
#include "runs/trackers/tracker_session.h"

namespace temper {
namespace {

using Clock = std::chrono::steady_clock;
constexpr double poll_seconds = 2, longest_wait = 60, stop_seconds = 2;

double seconds_until(Clock::time_point time) { return std::chrono::duration<double>(time - Clock::now()).count(); }
Clock::time_point in(double seconds) { return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)); }

}  // namespace

// What the job tells its trackers.
struct Tracking::Shared {
    std::filesystem::path run;
    TrackingSettings settings;
    std::optional<RowTimes> times;
    std::atomic<std::int64_t> settled{0};
    std::mutex mutex;
    std::condition_variable wake;
    std::optional<Clock::time_point> deadline;  // set when the job is over

    bool over_time() {
        const std::lock_guard lock(mutex);
        return deadline && Clock::now() >= *deadline;
    }
    double seconds_left() {
        const std::lock_guard lock(mutex);
        return deadline ? std::max(0.0, seconds_until(*deadline)) : 1e6;
    }
};

class Tracking::Worker {
  public:
    Worker(std::string name, Shared& shared) : name_(std::move(name)), shared_(shared), thread_([this] { work(); }) {}
    ~Worker() { thread_.join(); }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

  private:
    // Sleeps until it is time to look again; true when the job is over.
    bool wait(double seconds) {
        std::unique_lock lock(shared_.mutex);
        return shared_.wake.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return shared_.deadline.has_value(); });
    }

    void work() {
        bool over = false;
        for (double pause = 0.2; !over; pause = failures_ == 0 ? poll_seconds : pause_after_failure()) {
            over = wait(pause);
            sent_ = false;
            if (!over || !shared_.over_time()) attempt(over);
        }
        if (!sent_)
            log_warning("{}: not everything reached {}; nothing is lost, and temper runs sync {} sends the rest", name_, where_,
                        shared_.run.string());
    }

    void attempt(bool last) {
        try {
            if (!run_) run_.emplace(shared_.run);
            if (!session_) {
                session_.emplace(name_, *run_, *shared_.times, shared_.settings);
                where_ = session_->where();
            }
            shared_.times->note(run_->journal_length());
            run_->refresh();
            run_->settle(run_->finished() ? std::numeric_limits<std::int64_t>::max() : shared_.settled.load());
            sent_ = session_->push([this] { return shared_.over_time(); }, [this] { return shared_.seconds_left(); });
            if (failures_ > 0 && !last) log_info("{}: {} answers again; it is sent what it missed", name_, where_);
            failures_ = 0;
        } catch (const std::exception& error) {
            if (failures_++ == 0) log_warning("{}: {}; the run goes on, and what is logged is sent later", name_, error.what());
            asked_wait_ = wait_asked_by(error);
        }
    }

    double pause_after_failure() {
        std::uniform_real_distribution<double> jitter(0.5, 1.0);
        const double grown = poll_seconds * static_cast<double>(1 << std::min(failures_, 6));
        return std::max(std::min(grown, longest_wait) * jitter(random_), std::min(asked_wait_, 10 * longest_wait));
    }

    std::string name_, where_ = "its server";
    Shared& shared_;
    std::optional<TrackedRun> run_;
    std::optional<TrackerSession> session_;
    int failures_ = 0;
    bool sent_ = false;
    double asked_wait_ = 0;
    std::minstd_rand random_{std::random_device{}()};
    std::thread thread_;  // last: it uses the others
};

Tracking::Tracking() = default;

Tracking::~Tracking() { finish(stop_seconds); }

void Tracking::start(const std::filesystem::path& run, const TrackingSettings& given) {
    TrackingSettings settings = with_environment(given);
    if (std::string begun = environment_text("MLFLOW_RUN_ID"); !begun.empty()) settings.mlflow_run_id = std::move(begun);
    const std::vector<std::string> names = chosen_trackers(settings);
    if (std::find(given.report_to.begin(), given.report_to.end(), "auto") != given.report_to.end())
        for (const auto& url : {settings.mlflow_tracking_uri, settings.clearml_api_host, settings.otlp_endpoint})
            if (url && !parse_url(*url)) log_warning("tracking: '{}' is no http or https server: nothing is reported there", *url);
    if (names.empty() || shared_) return;
    shared_ = std::make_unique<Shared>();
    shared_->run = run;
    shared_->settings = settings;
    try {
        std::filesystem::create_directories(run / "trackers");
        shared_->times.emplace(run / "trackers" / "times", TrackedRun(run).journal_length());
    } catch (const std::exception& error) {
        log_warning("trackers: {}; the run goes on without them", error.what());
        shared_.reset();
        return;
    }
    for (const std::string& name : names) workers_.emplace_back(name, *shared_);
}

void Tracking::settled(std::int64_t journal_length) {
    if (shared_) shared_->settled = journal_length;
}

void Tracking::finish() {
    if (shared_) finish(shared_->settings.exit_seconds);
}

void Tracking::finish(double seconds) {
    if (!shared_) return;
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->deadline = in(seconds);
    }
    shared_->wake.notify_all();
    workers_.clear();
    shared_.reset();
}

}  // namespace temper
