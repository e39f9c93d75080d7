// What a gate looks at: the figures of one evaluation or training, whoever made it, and what each of its samples got.
//
// A record is named by
//   a run of temper             its path, id or a part of the id      eval/results.json and samples, run.json: metrics, performance.*
//   NAME@ALIAS                  of the registry                       the evaluation by which that version was let in, else its run
//   a folder of lm-eval         results_*.json, samples_*.jsonl       the newest of several
//   trainer_state.json          of transformers' Trainer              the last value of each figure
//   mlflow:RUN_ID               of the server or folder that MLFLOW_TRACKING_URI names
//   any other JSON file         numbers by their names; of objects within objects, joined by points
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/jsonl.h"
#include "runs/default_places.h"

namespace temper {

struct Figures {
    std::string source;  // run, lm-eval, trainer_state, mlflow, json
    std::string path;    // of the file or folder, or the URL
    std::string sha256;  // of the bytes that the figures were read from
    std::string run_id, model, adapter, adapter_sha256, adapter_config_sha256;
    std::string status;  // finished, or what else the record says of itself
    Json alias;          // {registry, name, alias, version} where it was named so, else null

    std::map<std::string, double> values;                      // also those that are not finite
    std::map<std::string, bool> higher_is_better;              // what the record itself says, by the same names
    std::map<std::string, std::string> sample_files;           // of a task
    std::map<std::string, std::vector<std::string>> subtasks;  // of a group
    std::map<std::string, std::int64_t> documents;             // of a task
    std::map<std::string, std::int64_t> rows;                  // of a figure that fewer than all documents of its task have

    // What a verdict keeps.
    Json origin() const;
    // The full name of a figure: `metric` itself, or with a filter behind it ("task/acc" for "task/acc,none") where only one fits; empty when none does.
    std::string find(const std::string& metric) const;
    // What a figure is of: the longest part before a slash that is a task or a group. "support" of "support/check/no links,none".
    std::string task_of(const std::string& metric) const;
    // How many documents a task or group has, and a figure is over; none where the record does not say.
    std::optional<std::int64_t> documents_of(const std::string& task) const;
    std::optional<std::int64_t> rows_of(const std::string& metric) const;
};

struct Sample {
    std::string hash;  // of the document, empty where the record has none
    double value = 0.0;
    std::optional<double> weight;  // words or bytes, where the value is the log-probability of a text
};
// Values of a figure by task and document; empty where the record keeps none. bad_data for samples that are not what lm-eval writes.
std::map<std::string, Sample> samples_of(const Figures& figures, const std::string& metric);

struct FigurePlaces {
    std::string output_dir = default_output_dir(), registry = "registry";
};
Figures read_figures(const std::string& name, const FigurePlaces& places);

// The readers behind it.
Figures read_run_figures(const std::filesystem::path& run);
Figures read_lm_eval_figures(const std::filesystem::path& file);  // a results_*.json
Figures read_trainer_figures(const std::filesystem::path& file);  // a trainer_state.json
Figures read_json_figures(const std::filesystem::path& file);
Figures read_mlflow_figures(const std::string& run_id, const std::string& tracking_uri);
// The figures and directions of "results", as lm-eval writes them, and how many documents they are of; tasks are named with `prefix` before them.
void add_results(Figures& figures, const Json& results, const std::string& place, const std::string& prefix = "");

}  // namespace temper
