#include "runs/run_list.h"

#include <algorithm>

#include "io/folder_listing.h"
#include "io/json_text.h"
#include "kernels/error.h"
#include "runs/attempt.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

void check_directory(const fs::path& output_dir) {
    if (!fs::is_directory(output_dir))
        throw_error(ExitCode::missing_input, "{}: no such directory; --output-dir names where the runs lie", output_dir.string());
}

}  // namespace

std::string live_status(const fs::path& run, const std::string& recorded) {
    if (recorded != "running") return recorded;
    int attempt = 0;
    try {
        attempt = last_attempt(run);
    } catch (const Error&) {}  // the list goes on: what is recorded is all that is known
    if (attempt == 0) return recorded;
    // A heartbeat from elsewhere would have to be watched for a while; only what can be told at once is told.
    OwnerWatch owner(attempt_path(run, attempt), attempt, ProcessIdentity::self(), 1e9);
    return owner.ended() ? "interrupted" : recorded;
}

ListedRun read_run(const fs::path& run) {
    RunRecord record = RunRecord::open(run / "run.json");
    std::string status = live_status(run, record.status());
    return {run, std::move(record.fields()), std::move(status)};
}

std::vector<ListedRun> list_runs(const fs::path& output_dir, const std::function<void(const std::string&)>& log) {
    check_directory(output_dir);
    std::vector<ListedRun> runs;
    for (const fs::path& run : entries_of(output_dir)) {
        if (!fs::is_regular_file(run / "run.json") || run.filename().string().starts_with(".")) continue;
        try {
            runs.push_back(read_run(run));
        } catch (const Error& unreadable) {
            if (log) log(unreadable.what());
        }
    }
    std::sort(runs.begin(), runs.end(), [](const ListedRun& a, const ListedRun& b) {
        const std::string left = member_text(a.record, "created_at"), right = member_text(b.record, "created_at");
        return left != right ? left < right : a.path < b.path;
    });
    return runs;
}

ListedRun find_run(const fs::path& output_dir, const std::string& name) {
    if (fs::is_regular_file(fs::path(name) / "run.json"))
        return read_run(fs::path(name).has_filename() ? fs::path(name) : fs::path(name).parent_path());
    check_directory(output_dir);
    // By the names of the directories: one record is read, not all of them.
    if (!name.empty() && name.find('/') == std::string::npos && fs::is_regular_file(output_dir / name / "run.json"))
        return read_run(output_dir / name);
    std::vector<fs::path> found;
    for (const fs::path& run : entries_of(output_dir)) {
        const std::string id = run.filename().string();
        if (!name.empty() && id.find(name) != std::string::npos && !id.starts_with(".") && fs::is_regular_file(run / "run.json"))
            found.push_back(run);
    }
    std::sort(found.begin(), found.end());
    std::string names;
    for (std::size_t i = 0; i < std::min<std::size_t>(found.size(), 5); ++i) names += (i == 0 ? "" : ", ") + found[i].filename().string();
    if (found.empty()) throw_error(ExitCode::missing_input, "{}: no run of that path, id or part of an id under {}", name, output_dir.string());
    if (found.size() > 1)
        throw_error(ExitCode::missing_input, "{}: {} runs have that in their id ({}{}); name one", name, found.size(), names,
                    found.size() > 5 ? " ..." : "");
    return read_run(found[0]);
}

}  // namespace temper
