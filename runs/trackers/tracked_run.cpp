#include "runs/trackers/tracked_run.h"

#include "io/durable.h"
#include "io/json_text.h"
#include "kernels/error.h"
#include "runs/trackers/row_times.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

void add_figures(const Json& value, const std::string& name, std::vector<std::pair<std::string, double>>& figures) {
    if (value.is_object())
        for (const auto& [key, inner] : value.items()) add_figures(inner, name.empty() ? key : name + "/" + key, figures);
    else if (value.is_number()) figures.emplace_back(name, value.get<double>());
}

}  // namespace

void flatten(const Json& value, const std::string& name, const char* separator, TextPairs& pairs) {
    if (value.is_object()) {
        for (const auto& [key, inner] : value.items()) flatten(inner, name.empty() ? key : name + separator + key, separator, pairs);
    } else if (!name.empty() && (!value.is_array() || !value.empty())) {
        pairs.emplace_back(name, text_or_json(value));
    }
}

TrackedRun::TrackedRun(fs::path directory) : directory_(std::move(directory)) { refresh(); }

void TrackedRun::refresh() {
    const fs::path path = directory_ / "run.json";
    record_ = parse_json(read_file(path, std::size_t(64) << 20), path.string(), {std::size_t(64) << 20, 64});
    if (id().empty()) throw_error(ExitCode::bad_data, "{}: no run_id in it, expected a run record", path.string());
}

std::int64_t TrackedRun::journal_length() const {
    std::error_code error;
    const auto size = fs::file_size(journal(), error);
    return error ? 0 : static_cast<std::int64_t>(size);
}

std::string TrackedRun::text(const char* field) const {
    const Json& value = member(record_, field);
    return value.is_string() ? value.get<std::string>() : "";
}

std::string TrackedRun::parent() const {
    const std::string stage_of = text("parent_run_id");
    return stage_of.empty() ? text("parent") : stage_of;
}

std::string TrackedRun::kind() const {
    if (const std::string kind = text("kind"); !kind.empty()) return kind;
    const Json& command = member(record_, "command");
    return command.is_array() && command.size() > 1 && command[1].is_string() ? command[1].get<std::string>() : "run";
}

std::int64_t TrackedRun::time(const char* field) const { return unix_milliseconds(text(field)); }

TextPairs TrackedRun::parameters() const {
    TextPairs pairs;
    flatten(member(record_, "config"), "", ".", pairs);
    std::erase_if(pairs, [](const auto& pair) { return pair.first.empty() || pair.first.starts_with("tracking."); });
    flatten(member(record_, "params"), "", ".", pairs);
    return pairs;
}

TextPairs TrackedRun::tags() const {
    TextPairs tags;
    flatten(member(record_, "tags"), "", ".", tags);
    const Json& environment = member(record_, "environment");
    for (const char* name : {"git", "isa", "device", "host", "cpu"})
        if (const Json& value = member(environment, name); value.is_string() && !value.get_ref<const std::string&>().empty())
            tags.emplace_back(std::string("temper.") + name, value.get<std::string>());
    for (const char* name : {"ranks", "threads"})
        if (const Json& value = member(environment, name); value.is_number()) tags.emplace_back(std::string("temper.") + name, value.dump());
    flatten(member(environment, "job"), "temper.job", ".", tags);
    tags.emplace_back("temper.run_id", id());
    tags.emplace_back("temper.kind", kind());
    tags.emplace_back("temper.config_hash", text("config_hash"));
    tags.emplace_back("temper.status", status());
    if (!parent().empty()) tags.emplace_back("temper.parent", parent());
    if (!text("message").empty()) tags.emplace_back("temper.message", text("message"));
    return tags;
}

std::vector<std::pair<std::string, double>> TrackedRun::figures() const {
    std::vector<std::pair<std::string, double>> figures;
    add_figures(member(record_, "metrics"), "", figures);
    for (const char* name : {"performance", "usage", "cost"}) add_figures(member(record_, name), name, figures);
    std::erase_if(figures, [](const auto& figure) { return figure.first.empty() || figure.first == "step"; });
    return figures;
}

std::vector<TrackedRun::File> TrackedRun::files() const {
    std::vector<File> files;
    const auto add = [&](const std::string& name, const std::string& sha256) {
        const fs::path path = fs::path(name).lexically_normal();
        if (path.is_absolute() || path.empty() || *path.begin() == "..") return;  // lies elsewhere
        if (fs::is_regular_file(directory_ / path)) files.push_back({path.generic_string(), directory_ / path, sha256});
    };
    if (const Json& artifacts = member(record_, "artifacts"); artifacts.is_array())
        for (const Json& artifact : artifacts)
            if (const Json& path = member(artifact, "path"); path.is_string()) add(path.get<std::string>(), text_or_json(member(artifact, "sha256")));
    for (const char* name : {"config.yaml", "report.html", "eval/results.json"}) {
        bool listed = false;
        for (const File& file : files) listed = listed || file.name == name;
        if (!listed) add(name, "");
    }
    return files;
}

}  // namespace temper
