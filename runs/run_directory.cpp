#include "runs/run_directory.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <thread>
#include <vector>

#include <sys/random.h>

#include "io/durable.h"
#include "io/folder_listing.h"
#include "io/json_text.h"
#include "io/system_calls.h"
#include "kernels/error.h"
#include "runs/attempt.h"
#include "runs/plain_name.h"
#include "runs/run_record.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

// "<utc yyyymmddThhmmssZ>-<run_name>-<id8>": id8 begins with the part of the second that has passed (five digits of 2^-20 s) and ends with chance, so
// that the names of runs that begin within one second sort by their beginning too.
std::string new_id(const std::string& run_name) {
    std::uint32_t chance = 0;
    if (getrandom(&chance, sizeof chance, 0) != ssize_t(sizeof chance)) throw_error(ExitCode::io_error, "getrandom: {}", std::strerror(errno));
    std::timespec now{};
    std::timespec_get(&now, TIME_UTC);
    std::tm utc{};
    gmtime_r(&now.tv_sec, &utc);
    char stamp[32];
    std::strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
    const auto fraction = (std::uint64_t(now.tv_nsec) << 20) / 1'000'000'000;
    return fmt::format("{}-{}-{:05x}{:03x}", stamp, run_name, fraction, chance & 0xfff);
}

fs::path staging_of(const fs::path& run, int attempt) { return run / fmt::format(".stage-{:04}", attempt); }

// Takes away what earlier owners were building, then clears it and the temporary files of killed processes.
void revoke_earlier(const fs::path& run, int attempt) {
    std::vector<fs::path> garbage;
    std::error_code error;
    for (const fs::path& folder : {run, run / "checkpoints"}) {
        for (const fs::path& path : entries_of(folder)) {
            const std::string name = path.filename().string();
            if (name.starts_with(".revoked-") || name.starts_with(".trash")) garbage.push_back(path);
            if (!name.starts_with(".stage-") || path == staging_of(run, attempt)) continue;
            const fs::path revoked = folder / (".revoked-" + name.substr(7));
            fs::remove_all(revoked, error);
            if (system_calls().rename(path.c_str(), revoked.c_str()) == 0) garbage.push_back(revoked);
            else if (errno != ENOENT) throw_error(ExitCode::io_error, "{}: rename: {}", path.string(), std::strerror(errno));
        }
    }
    for (const fs::path& path : garbage) fs::remove_all(path, error);
}

}  // namespace

struct RunDirectory::Ownership {
    int attempt;
    Heartbeat heartbeat;
};

RunDirectory::RunDirectory(fs::path path) : path_(std::move(path)) {}
RunDirectory::RunDirectory(RunDirectory&&) noexcept = default;
RunDirectory& RunDirectory::operator=(RunDirectory&& other) noexcept {
    release();
    path_ = std::move(other.path_);
    ownership_ = std::move(other.ownership_);
    return *this;
}
RunDirectory::~RunDirectory() { release(); }

std::string RunDirectory::id() const { return path_.filename().string(); }

RunDirectory RunDirectory::create(const fs::path& output_dir, const std::string& run_name, const std::string& config_hash) {
    check_plain_name("run_name", run_name);
    std::error_code error;
    fs::create_directories(output_dir, error);
    if (error) throw_error(ExitCode::io_error, "output_dir {}: {}; name a directory that can be written", output_dir.string(), error.message());
    const std::string id = new_id(run_name);
    StagedDirectory staged(output_dir / id);
    staged.write("run.json", RunRecord::create(output_dir / id / "run.json", id, run_name, config_hash).text());
    staged.commit();
    return RunDirectory(output_dir / id);
}

std::optional<RunDirectory> RunDirectory::find_resumable(const fs::path& output_dir, const std::string& run_name, const std::string& config_hash) {
    std::string newest;
    fs::path found;
    for (const fs::path& run : entries_of(output_dir)) {
        const fs::path path = run / "run.json";
        const std::string id = run.filename().string();
        // What begins with a point was never committed: its process ended between the first run.json and the rename.
        if (id.starts_with(".") || id.find("-" + run_name + "-") == std::string::npos || !fs::is_regular_file(path)) continue;
        Json record;
        try {
            record = parse_json(read_file(path, std::size_t(64) << 20), path.string());
        } catch (const Error&) {
            continue;
        }
        if (member_text(record, "run_name") != run_name || member_text(record, "config_hash") != config_hash) continue;
        if (std::string created = member_text(record, "created_at"); found.empty() || created > newest) {
            newest = std::move(created);
            found = run;
        }
    }
    if (found.empty()) return std::nullopt;
    return RunDirectory(found);
}

RunDirectory RunDirectory::open(const fs::path& path) {
    fs::path run = path.has_filename() ? path : path.parent_path();
    if (!fs::is_regular_file(run / "run.json")) {
        throw_error(ExitCode::missing_input, "{}: no run.json in it; expected a run's directory, runs/<utc>-<run_name>-<id>", run.string());
    }
    return RunDirectory(std::move(run));
}

void RunDirectory::take_ownership(double wait_seconds, double heartbeat_seconds) {
    if (owned()) return;
    const ProcessIdentity self = ProcessIdentity::self();
    const double begin = monotonic_seconds();
    int attempt = 0;
    for (std::optional<OwnerWatch> watch; attempt == 0;) {
        const int last = last_attempt(path_);
        if (!watch || watch->attempt() != last) watch.emplace(attempt_path(path_, last), last, self, heartbeat_seconds);
        if (last == 0 || watch->ended()) {
            if (claim_attempt(path_, last + 1, self)) attempt = last + 1;
            continue;  // or another starter was first: it is the owner to look at now
        }
        // A heartbeat that has not moved yet may belong to a dead machine: that is worth the longer wait.
        const double patience = watch->on_this_machine() || watch->heartbeat_seen() ? wait_seconds : std::max(wait_seconds, heartbeat_seconds + 5.0);
        if (monotonic_seconds() - begin > patience) {
            throw_error(ExitCode::run_locked, "{}: owned by {}, which is still running; wait for it, stop it, or start a new run with --resume no",
                        path_.string(), watch->owner().text());
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    // Our staging folder first, then the look for a later owner: it either sees the folder and revokes it, or is seen here.
    if (system_calls().mkdir(staging_of(path_, attempt).c_str(), 0777) != 0 && errno != EEXIST) {
        const int error = errno;
        mark_released(path_, attempt);
        throw_error(ExitCode::io_error, "{}: mkdir: {}", staging_of(path_, attempt).string(), std::strerror(error));
    }
    ownership_.reset(new Ownership{attempt, Heartbeat(attempt_path(path_, attempt))});
    try {
        check_owned();
        revoke_earlier(path_, attempt);
    } catch (const Error&) {
        release();
        throw;
    }
}

int RunDirectory::attempt() const {
    assert(owned());
    return ownership_->attempt;
}

fs::path RunDirectory::staging() const { return staging_of(path_, attempt()); }

void RunDirectory::check_owned() const {
    const int last = last_attempt(path_);
    if (last == attempt()) return;
    const OwnerWatch owner(attempt_path(path_, last), last, {}, 0);
    throw_error(ExitCode::run_locked, "{}: taken over by {} while this process did not answer; it continues the run", path_.string(),
                owner.owner().text());
}

void RunDirectory::release() {
    if (!owned()) return;
    std::error_code ignored;
    fs::remove_all(staging(), ignored);
    mark_released(path_, attempt());
    ownership_.reset();
}

}  // namespace temper
