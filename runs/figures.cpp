#include "runs/figures.h"

#include <algorithm>

#include "io/durable.h"
#include "io/environment.h"
#include "io/json_text.h"
#include "kernels/error.h"
#include "runs/python_json.h"
#include "runs/registry.h"
#include "runs/run_list.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

bool is_results_file(const fs::path& path) {
    const std::string name = path.filename().string();
    return name == "results.json" || (name.starts_with("results_") && name.ends_with(".json"));
}

// The results that lie in a folder or in its folders (lm-eval makes one a model), the newest last: their names end with the date.
std::optional<fs::path> newest_results(const fs::path& folder) {
    std::vector<fs::path> found;
    for (fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied), end; entry != end; ++entry) {
        if (entry.depth() > 2) entry.disable_recursion_pending();
        if (entry->is_regular_file() && is_results_file(entry->path())) found.push_back(entry->path());
    }
    if (found.empty()) return std::nullopt;
    return *std::max_element(found.begin(), found.end(),
                             [](const fs::path& a, const fs::path& b) { return std::pair(a.filename(), a) < std::pair(b.filename(), b); });
}

// Of a Trainer's folder: its own, or that of the last checkpoint.
std::optional<fs::path> trainer_state(const fs::path& folder) {
    if (fs::is_regular_file(folder / "trainer_state.json")) return folder / "trainer_state.json";
    std::optional<std::pair<long, fs::path>> last;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with("checkpoint-") || !fs::is_regular_file(entry.path() / "trainer_state.json")) continue;
        const long step = std::strtol(name.c_str() + 11, nullptr, 10);
        if (!last || step > last->first) last.emplace(step, entry.path() / "trainer_state.json");
    }
    return last ? std::optional(last->second) : std::nullopt;
}

Figures read_path(const fs::path& path) {
    if (fs::is_regular_file(path)) {
        const Json document = read_python_json(path);
        if (document.is_object() && document.contains("results") && document["results"].is_object()) return read_lm_eval_figures(path);
        if (document.is_object() && document.contains("log_history")) return read_trainer_figures(path);
        return read_json_figures(path);
    }
    if (fs::is_regular_file(path / "run.json")) return read_run_figures(path);
    if (fs::is_regular_file(path / "meta.yaml") && fs::is_directory(path / "metrics"))
        return read_mlflow_figures(path.filename().string(), path.parent_path().parent_path().string());
    if (const auto results = newest_results(path)) return read_lm_eval_figures(*results);
    if (const auto state = trainer_state(path)) return read_trainer_figures(*state);
    throw_error(ExitCode::missing_input, "{}: no run.json, results_*.json, trainer_state.json or MLflow run in it", path.string());
}

Figures read_alias(const std::string& name, const std::string& alias, const std::string& registry_dir) {
    const RegisteredModel model = Registry(registry_dir).find(name, alias);
    const Json record = model.verdict.is_object() ? model.verdict.value("record", Json::object()) : Json::object();
    const Json path = record.is_object() ? record.value("path", Json()) : Json();
    const std::string judged = path.is_string() ? path.get<std::string>() : "";
    if (!judged.empty() && !fs::exists(judged)) {
        throw_error(ExitCode::missing_input, "{}@{}: version {} was let in by {}, which is gone; evaluate it again and name that run", name, alias,
                    model.version, judged);
    }
    Figures figures = read_path(judged.empty() ? fs::path(model.adapter).parent_path() : fs::path(judged));
    figures.alias = Json{{"registry", registry_dir}, {"name", name}, {"alias", alias}, {"version", model.version}};
    if (figures.adapter_sha256.empty()) figures.adapter_sha256 = model.adapter_sha256;
    return figures;
}

// A task, or a group and those in it.
std::vector<std::string> tasks_of(const Figures& figures, const std::string& task) {
    std::vector<std::string> tasks{task};
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        const auto group = figures.subtasks.find(tasks[i]);
        if (group == figures.subtasks.end()) continue;
        for (const std::string& one : group->second)
            if (std::find(tasks.begin(), tasks.end(), one) == tasks.end()) tasks.push_back(one);
    }
    return tasks;
}

// A number; of a text's perplexity its log-probability and how many words or bytes it has.
std::optional<Sample> sample_of(const Json& value) {
    const bool pair = value.is_array() && value.size() == 2;
    const auto number = figure_of(pair ? value[0] : value), weight = pair ? figure_of(value[1]) : std::nullopt;
    if (!number || (pair && !weight)) return std::nullopt;
    return Sample{"", *number, weight};
}

}  // namespace

Json Figures::origin() const {
    Json origin{{"source", source}, {"path", path}, {"sha256", sha256}};
    const std::pair<const char*, const std::string*> texts[] = {{"run_id", &run_id},
                                                                {"status", &status},
                                                                {"model", &model},
                                                                {"adapter", &adapter},
                                                                {"adapter_sha256", &adapter_sha256},
                                                                {"adapter_config_sha256", &adapter_config_sha256}};
    for (const auto& [name, text] : texts)
        if (!text->empty()) origin[name] = *text;
    if (alias.is_object()) origin.update(alias);
    return origin;
}

std::string Figures::find(const std::string& metric) const {
    if (values.contains(metric)) return metric;
    std::string found;
    for (auto at = values.lower_bound(metric + ","); at != values.end() && at->first.starts_with(metric + ","); ++at) {
        if (!found.empty()) return "";
        found = at->first;
    }
    return found;
}

std::string Figures::task_of(const std::string& metric) const {
    const std::size_t end = std::min(metric.rfind(','), metric.size());
    for (std::size_t slash = end; slash > 0 && (slash = metric.rfind('/', slash - 1)) != std::string::npos;) {
        const std::string task = metric.substr(0, slash);
        if (sample_files.contains(task) || subtasks.contains(task) || documents.contains(task)) return task;
    }
    const std::size_t last = metric.rfind('/', end);
    return last == std::string::npos ? "" : metric.substr(0, last);
}

std::optional<std::int64_t> Figures::documents_of(const std::string& task) const {
    std::optional<std::int64_t> sum;
    for (const std::string& one : tasks_of(*this, task))
        if (const auto found = documents.find(one); found != documents.end()) sum = sum.value_or(0) + found->second;
    return sum;
}

std::optional<std::int64_t> Figures::rows_of(const std::string& metric) const {
    const auto fewer = rows.find(metric);
    return fewer != rows.end() ? fewer->second : documents_of(task_of(metric));
}

std::map<std::string, Sample> samples_of(const Figures& figures, const std::string& metric) {
    const std::string of = figures.task_of(metric);
    const std::size_t comma = metric.rfind(',');
    std::map<std::string, Sample> samples;
    if (of.empty() || comma == std::string::npos || comma < of.size()) return samples;
    const std::string key = metric.substr(of.size() + 1, comma - of.size() - 1), filter = metric.substr(comma + 1);
    for (const std::string& task : tasks_of(figures, of)) {
        const auto file = figures.sample_files.find(task);
        if (file == figures.sample_files.end()) continue;
        read_python_jsonl(file->second, [&](const Json& row, const std::string& place) {
            if (row.contains("filter") && row["filter"] != filter) return;
            std::optional<Sample> sample = row.contains(key) ? sample_of(row[key]) : std::nullopt;
            if (!sample) return;  // of an aggregation over all rows
            if (!row.contains("doc_id")) throw_error(ExitCode::bad_data, "{}: no doc_id in it, expected a sample as lm-eval writes it", place);
            sample->hash = member_text(row, "doc_hash");
            if (!samples.emplace(task + "/" + row["doc_id"].dump(), *sample).second)
                throw_error(ExitCode::bad_data, "{}: doc_id {} stands there twice", place, row["doc_id"].dump());
        });
    }
    return samples;
}

Figures read_figures(const std::string& name, const FigurePlaces& places) {
    if (name.starts_with("mlflow:")) {
        const std::string uri = environment_text("MLFLOW_TRACKING_URI");
        return read_mlflow_figures(name.substr(7), uri.empty() ? "mlruns" : uri);
    }
    if (fs::exists(name)) return read_path(name);
    if (const std::size_t at = name.find('@'); at != std::string::npos) return read_alias(name.substr(0, at), name.substr(at + 1), places.registry);
    return read_run_figures(find_run(places.output_dir, name).path);
}

}  // namespace temper
