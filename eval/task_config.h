// A task file of lm-evaluation-harness 0.4.13, without Python functions.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

enum class OutputType : std::uint8_t { loglikelihood, loglikelihood_rolling, multiple_choice, generate_until };

struct TaskMetric {
    std::string name, aggregation;
    bool higher_is_better = true;
    Json options = Json::object();  // of exact_match: regexes_to_ignore, ignore_case, ignore_punctuation, ignore_numbers
};

struct TaskFilter {
    std::string name;
    Json steps = Json::array();  // objects {"function", …}
};

// How texts are generated, as generation_kwargs say it.
struct TaskGeneration {
    std::vector<std::string> until;
    std::int64_t max_gen_toks = 256;
    double temperature = 0.0, top_p = 1.0;  // temperature 0: the likeliest token
    std::int64_t top_k = 0;                 // 0: all
    std::optional<std::int64_t> seed;
};

// How documents become texts; null fields of few-shot examples take the task's.
struct TaskTexts {
    Json doc_to_text, doc_to_target, doc_to_choice, gen_prefix;  // a template or column (text), a number, a list or an object
    std::string target_delimiter = " ", fewshot_delimiter = "\n\n";
};

struct TaskConfig {
    std::string task, alias;
    std::filesystem::path file;
    OutputType output_type = OutputType::generate_until;
    std::map<std::string, std::vector<std::filesystem::path>> data_files;  // by split
    std::string training_split, validation_split, test_split;              // empty: none
    bool mc2 = false;                                                      // process_results: mc2, as TruthfulQA's MC2 is scored
    TaskTexts texts, fewshot_texts;
    std::string description;
    std::string fewshot_split, fewshot_sampler = "default";
    std::optional<Json> fewshot_samples;  // examples given in the file
    std::int64_t num_fewshot = 0;
    std::optional<std::int64_t> given_fewshot;  // as the file has it
    std::vector<TaskMetric> metrics;
    std::vector<TaskFilter> filters;
    Json generation_kwargs = Json::object();  // as samples show them
    TaskGeneration generation;
    std::int64_t repeats = 1;
    Json version;  // metadata's
    Json fields;   // what the file says, its includes merged

    // The split that is evaluated.
    const std::string& split() const { return !test_split.empty() ? test_split : validation_split; }
    // The split that few-shot examples come from, as the reference looks for it; empty: there are none, or the file gives them.
    const std::string& examples_split() const;
    bool uses_metric(const std::string& name) const;
    bool uses_aggregation(const std::string& name) const;
};

struct GroupMetric {
    std::string metric;
    std::optional<std::vector<std::string>> filters;  // none: those that the tasks have
    bool weight_by_size = true;
};
struct TaskGroup {
    std::string name, alias;
    std::filesystem::path file;
    std::vector<std::string> children;  // tasks and groups, in order
    std::vector<GroupMetric> metrics;
    Json version;
};
// The tasks below a group, in order; children of `groups` stand before their parents.
std::vector<std::string> tasks_below(const TaskGroup& group, const std::vector<TaskGroup>& groups);

struct TaskSet {
    std::vector<TaskConfig> tasks;  // in the order that they are met
    std::vector<TaskGroup> groups;  // children before their parents
    std::vector<std::string> warnings;
};

// Task and group files, and names of tasks, groups or tags of files below `folder` or beside the files given. data_files are relative to the file
// that names them; where a file names none, a task's rows lie in `data`/<task>/<split>.jsonl (or .json, .csv, .tsv). bad_data with file and key for
// what is not understood, Python functions among it; usage for an unknown name, missing_input for a file that is not there.
TaskSet load_tasks(const std::vector<std::string>& names, const std::filesystem::path& folder, const std::filesystem::path& data);

}  // namespace temper
