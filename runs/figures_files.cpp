// Figures of runs of temper, of lm-evaluation-harness, of transformers' Trainer and of plain JSON.
#include <algorithm>
#include <limits>

#include "io/durable.h"
#include "io/folder_listing.h"
#include "io/json_text.h"
#include "kernels/error.h"
#include "runs/figures.h"
#include "runs/python_json.h"
#include "runs/registry.h"
#include "runs/run_list.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

// JSON has no number that is not one: null stands for it.
std::optional<double> figure_or_null(const Json& value) {
    return value.is_null() ? std::optional(std::numeric_limits<double>::quiet_NaN()) : figure_of(value);
}

// Every number of an object, and of objects within it: {"a": {"b": 1}} is a.b.
void add_numbers(Figures& figures, const std::string& prefix, const Json& object) {
    for (const auto& [name, value] : object.items()) {
        if (value.is_object()) add_numbers(figures, prefix + name + ".", value);
        else if (const auto number = figure_or_null(value)) figures.values[prefix + name] = *number;
    }
}

// samples_TASK.jsonl and samples_TASK_DATE.jsonl; the date is that of the results beside them.
void add_sample_files(Figures& figures, const fs::path& results, const std::string& prefix = "") {
    const std::string stem = results.stem().string();
    const std::string date = stem.starts_with("results_") ? stem.substr(7) : "";  // with the underscore in front
    const fs::path folder = results.has_parent_path() ? results.parent_path() : fs::path(".");
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string(), ending = date + ".jsonl";
        if (name.starts_with("samples_") && name.ends_with(ending) && name.size() > 8 + ending.size())
            figures.sample_files[prefix + name.substr(8, name.size() - 8 - ending.size())] = entry.path().string();
    }
}

// One hash for all files that figures and samples come from.
std::string hash_of_files(const std::vector<fs::path>& results, const Figures& figures) {
    std::string hashes;
    for (const fs::path& file : results) hashes += sha256_file(file) + "\n";
    for (const auto& [task, file] : figures.sample_files) hashes += task + " " + sha256_file(file) + "\n";
    return results.size() == 1 && figures.sample_files.empty() ? hashes.substr(0, 64) : sha256_hex(hashes);
}

// Of a run's evaluation; a matrix has a folder a system, whose name stands before its tasks. Returns the files that were read.
std::vector<fs::path> add_evaluation(Figures& figures, const fs::path& folder) {
    std::vector<std::pair<std::string, fs::path>> places{{"", folder / "results.json"}};
    for (const fs::path& system : entries_of(folder)) places.emplace_back(system.filename().string() + "/", system / "results.json");
    std::sort(places.begin(), places.end());
    std::vector<fs::path> read;
    for (const auto& [prefix, results] : places) {
        if (!fs::is_regular_file(results)) continue;
        add_results(figures, read_python_json(results), results.string(), prefix);
        add_sample_files(figures, results, prefix);
        read.push_back(results);
    }
    return read;
}

}  // namespace

void add_results(Figures& figures, const Json& results, const std::string& place, const std::string& prefix) {
    const Json& scores = member(results, "results");
    if (!scores.is_object()) throw_error(ExitCode::bad_data, "{}: no object \"results\" in it, expected results as lm-eval writes them", place);
    for (const auto& [task, metrics] : scores.items()) {
        if (!metrics.is_object()) throw_error(ExitCode::bad_data, "{}: results.{}: expected an object, found {}", place, task, metrics.type_name());
        const Json &directions = member(member(results, "higher_is_better"), task), &rows = member(member(results, "rows"), task);
        for (const auto& [key, value] : metrics.items()) {
            const std::size_t comma = key.rfind(',');
            const auto number = figure_or_null(value);
            if (comma == std::string::npos || !number) continue;
            const std::string name = prefix + task + "/" + key, metric = key.substr(0, comma);
            figures.values[name] = *number;
            if (const Json& higher = member(directions, metric); higher.is_boolean()) figures.higher_is_better[name] = higher.get<bool>();
            if (const Json& fewer = member(rows, metric); fewer.is_number_integer()) figures.rows[name] = fewer.get<std::int64_t>();
        }
        const Json& documents = member(member(member(results, "n-samples"), task), "effective");
        if (documents.is_number_integer()) figures.documents[prefix + task] = documents.get<std::int64_t>();
    }
    const Json& groups = member(results, "group_subtasks");
    if (!groups.is_object()) return;
    for (const auto& [group, tasks] : groups.items())
        if (tasks.is_array())
            for (const Json& task : tasks)
                if (task.is_string()) figures.subtasks[prefix + group].push_back(prefix + task.get<std::string>());
}

Figures read_run_figures(const fs::path& run) {
    const ListedRun listed = find_run(".", run.string());
    const Json& record = listed.record;
    Figures figures;
    figures.source = "run";
    figures.path = fs::absolute(listed.path).lexically_normal().string();
    figures.run_id = member_text(record, "run_id");
    figures.status = listed.status;
    const Json config = record.value("config", Json::object());
    figures.model = member_text(config, "model");
    figures.adapter = member_text(config, "adapter");
    if (figures.adapter.empty() && fs::is_regular_file(listed.path / "adapter" / "adapter_model.safetensors"))
        figures.adapter = fs::path(figures.path) / "adapter";
    for (const char* section : {"performance", "cost", "energy"})
        if (record.contains(section) && record[section].is_object()) add_numbers(figures, section + std::string("."), record[section]);
    if (record.contains("metrics") && record["metrics"].is_object()) add_numbers(figures, "", record["metrics"]);
    const std::vector<fs::path> results = add_evaluation(figures, listed.path / "eval");
    figures.sha256 = results.empty() ? sha256_file(listed.path / "run.json") : hash_of_files(results, figures);
    // As it was when it was evaluated or made, else as it is.
    for (const char* list : {"data", "artifacts"})
        if (record.contains(list) && record[list].is_array())
            for (const Json& entry : record[list]) {
                if (!member_text(entry, "role").starts_with("adapter")) continue;
                const std::string file = fs::path(member_text(entry, "path")).filename().string();
                if (file == "adapter_model.safetensors") figures.adapter_sha256 = member_text(entry, "sha256");
                if (file == "adapter_config.json") figures.adapter_config_sha256 = member_text(entry, "sha256");
            }
    if (!figures.adapter.empty() && figures.adapter_sha256.empty()) figures.adapter_sha256 = adapter_sha256_of(figures.adapter);
    return figures;
}

Figures read_lm_eval_figures(const fs::path& file) {
    const Json results = read_python_json(file);
    Figures figures;
    figures.source = "lm-eval";
    figures.path = fs::absolute(file).lexically_normal().string();
    figures.status = "finished";  // it writes its results at the end
    figures.model = member_text(results, "model_name");
    add_results(figures, results, file.string());
    if (const auto seconds = member_text(results, "total_evaluation_time_seconds"); !seconds.empty()) {
        char* end = nullptr;
        const double value = std::strtod(seconds.c_str(), &end);
        if (*end == '\0') figures.values["total_evaluation_time_seconds"] = value;
    }
    add_sample_files(figures, file);
    figures.sha256 = hash_of_files({file}, figures);
    return figures;
}

Figures read_trainer_figures(const fs::path& file) {
    const Json state = read_python_json(file);
    const Json history = state.is_object() ? state.value("log_history", Json()) : Json();
    if (!history.is_array())
        throw_error(ExitCode::bad_data, "{}: no list \"log_history\" in it, expected what transformers' Trainer writes", file.string());
    Figures figures;
    figures.source = "trainer_state";
    figures.path = fs::absolute(file).lexically_normal().string();
    figures.sha256 = sha256_file(file);
    figures.status = "finished";
    for (const Json& entry : history)
        if (entry.is_object()) add_numbers(figures, "", entry);
    for (const char* name : {"best_metric", "global_step", "epoch", "max_steps"})
        if (const auto number = figure_of(state.value(name, Json()))) figures.values[name] = *number;
    // Stopped before its last step: whatever was logged last is not the result.
    const auto done = figures.values.find("global_step"), planned = figures.values.find("max_steps");
    const bool should_stop = state.value("stateful_callbacks", Json()).dump().find("\"should_training_stop\":true") != std::string::npos;
    if (done != figures.values.end() && planned != figures.values.end() && done->second < planned->second && !should_stop)
        figures.status = fmt::format("at step {} of {}", done->second, planned->second);
    return figures;
}

Figures read_json_figures(const fs::path& file) {
    const Json document = read_python_json(file);
    if (!document.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object of figures, found {}", file.string(), document.type_name());
    Figures figures;
    figures.source = "json";
    figures.path = fs::absolute(file).lexically_normal().string();
    figures.sha256 = sha256_file(file);
    figures.status = "finished";
    add_numbers(figures, "", document);
    return figures;
}

}  // namespace temper
