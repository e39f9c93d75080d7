#include "runs/run_list.h"

#include <algorithm>

#include "kernels/error.h"
#include "runs/attempt.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

std::string status_of(const fs::path& run, const RunRecord& record) {
    const int attempt = last_attempt(run);
    if (record.status() != "running" || attempt == 0) return record.status();
    // A heartbeat from elsewhere would have to be watched for a while; only what can be told at once is told.
    OwnerWatch owner(attempt_path(run, attempt), attempt, ProcessIdentity::self(), 1e9);
    return owner.ended() ? "interrupted" : record.status();
}

ListedRun read_run(const fs::path& path) {
    RunRecord record = RunRecord::open(path / "run.json");
    std::string status = status_of(path, record);
    return {path, std::move(record.fields()), std::move(status)};
}

std::string text_of(const Json& record, const char* name) {
    return record.contains(name) && record[name].is_string() ? record[name].get<std::string>() : "";
}

}  // namespace

std::vector<ListedRun> list_runs(const fs::path& output_dir, const std::function<void(const std::string&)>& log) {
    if (!fs::is_directory(output_dir)) {
        throw_error(ExitCode::missing_input, "{}: no such directory; --output-dir names where the runs lie", output_dir.string());
    }
    std::vector<ListedRun> runs;
    std::error_code error;
    for (fs::directory_iterator entry(output_dir, error), end; !error && entry != end; entry.increment(error)) {
        if (!fs::is_regular_file(entry->path() / "run.json") || entry->path().filename().string().starts_with(".")) continue;
        try {
            runs.push_back(read_run(entry->path()));
        } catch (const Error& unreadable) {
            if (log) log(unreadable.what());
        }
    }
    std::sort(runs.begin(), runs.end(), [](const ListedRun& a, const ListedRun& b) {
        const std::string left = text_of(a.record, "created_at"), right = text_of(b.record, "created_at");
        return left != right ? left < right : a.path < b.path;
    });
    return runs;
}

ListedRun find_run(const fs::path& output_dir, const std::string& name) {
    if (fs::is_regular_file(fs::path(name) / "run.json"))
        return read_run(fs::path(name).has_filename() ? fs::path(name) : fs::path(name).parent_path());
    std::vector<ListedRun> found;
    std::string names;
    for (ListedRun& run : list_runs(output_dir)) {
        const std::string id = run.path.filename().string();
        if (id == name) return run;
        if (name.empty() || id.find(name) == std::string::npos) continue;
        if (found.size() < 5) names += (names.empty() ? "" : ", ") + id;
        found.push_back(std::move(run));
    }
    if (found.empty()) throw_error(ExitCode::missing_input, "{}: no run of that path, id or part of an id under {}", name, output_dir.string());
    if (found.size() > 1)
        throw_error(ExitCode::missing_input, "{}: {} runs have that in their id ({}{}); name one", name, found.size(), names,
                    found.size() > 5 ? " ..." : "");
    return std::move(found[0]);
}

}  // namespace temper
