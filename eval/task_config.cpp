#include "eval/task_config.h"

#include <algorithm>
#include <set>

#include "eval/field_reader.h"
#include "eval/task_files.h"
#include "eval/task_filters.h"
#include "eval/task_generation.h"
#include "eval/task_metrics.h"
#include "io/nearest.h"
#include "io/python_regex.h"
#include "kernels/error.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> known_keys{"task",
                                          "task_alias",
                                          "tag",
                                          "dataset_path",
                                          "dataset_name",
                                          "dataset_kwargs",
                                          "training_split",
                                          "validation_split",
                                          "test_split",
                                          "fewshot_split",
                                          "doc_to_text",
                                          "doc_to_target",
                                          "doc_to_choice",
                                          "process_results",
                                          "description",
                                          "target_delimiter",
                                          "fewshot_delimiter",
                                          "fewshot_config",
                                          "num_fewshot",
                                          "metric_list",
                                          "output_type",
                                          "generation_kwargs",
                                          "repeats",
                                          "filter_list",
                                          "should_decontaminate",
                                          "doc_to_decontamination_query",
                                          "gen_prefix",
                                          "metadata",
                                          "unsafe_code"};

OutputType output_type_of(const FieldReader& reader) {
    const std::string name = reader.text("output_type", "generate_until");
    if (name == "loglikelihood") return OutputType::loglikelihood;
    if (name == "loglikelihood_rolling") return OutputType::loglikelihood_rolling;
    if (name == "multiple_choice") return OutputType::multiple_choice;
    if (name == "generate_until") return OutputType::generate_until;
    reader.fail("output_type", "expected loglikelihood, loglikelihood_rolling, multiple_choice or generate_until, found " + name);
}

TaskTexts texts_of(const FieldReader& reader, const TaskTexts& otherwise) {
    TaskTexts texts = otherwise;
    for (const auto& [key, field] : {std::pair{"doc_to_text", &texts.doc_to_text}, std::pair{"doc_to_target", &texts.doc_to_target},
                                     std::pair{"doc_to_choice", &texts.doc_to_choice}, std::pair{"gen_prefix", &texts.gen_prefix}})
        if (reader.has(key)) *field = reader.value(key);
    texts.target_delimiter = reader.text("target_delimiter", texts.target_delimiter);
    texts.fewshot_delimiter = reader.text("fewshot_delimiter", texts.fewshot_delimiter);
    return texts;
}

void add_files(std::vector<fs::path>& to, const Json& files, const FieldReader& reader, const fs::path& folder) {
    for (const Json& file : files.is_array() ? files : Json::array({files})) {
        if (!file.is_string()) reader.fail("dataset_kwargs.data_files", "expected a path, a list of paths or a map of splits, found " + file.dump());
        to.push_back(folder / file.get<std::string>());
    }
}

void read_data_files(TaskConfig& config, const FieldReader& reader, const fs::path& data) {
    const fs::path folder = config.file.parent_path();
    const Json arguments = reader.value("dataset_kwargs");
    if (arguments.is_object() && arguments.contains("data_files")) {
        const Json& files = arguments["data_files"];
        if (files.is_object())
            for (const auto& [split, paths] : files.items()) add_files(config.data_files[split], paths, reader, folder);
        else add_files(config.data_files["train"], files, reader, folder);
        return;
    }
    for (const std::string* split : {&config.training_split, &config.validation_split, &config.test_split, &config.fewshot_split}) {
        if (split->empty() || config.data_files.contains(*split)) continue;
        for (const char* end : {".jsonl", ".json", ".csv", ".tsv"})
            if (const fs::path file = data / config.task / (*split + end); !data.empty() && fs::is_regular_file(file)) {
                config.data_files[*split] = {file};
                break;
            }
    }
}

void read_fewshot(TaskConfig& config, const FieldReader& reader) {
    config.given_fewshot = reader.count("num_fewshot", 0);
    config.num_fewshot = config.given_fewshot.value_or(0);
    config.fewshot_split = reader.text("fewshot_split");
    config.fewshot_texts = config.texts;
    if (!reader.has("fewshot_config")) return;
    const Json fields = reader.value("fewshot_config");
    if (!fields.is_object()) reader.fail("fewshot_config", "expected a map");
    const FieldReader few(fields, reader.place() + ": fewshot_config");
    few.check_keys({"sampler", "split", "samples", "fewshot_indices", "doc_to_text", "doc_to_target", "doc_to_choice", "gen_prefix",
                    "target_delimiter", "fewshot_delimiter"});
    config.fewshot_sampler = few.text("sampler", "default");
    if (config.fewshot_sampler != "default" && config.fewshot_sampler != "first_n")
        few.fail("sampler", "expected default or first_n, found " + config.fewshot_sampler);
    config.fewshot_split = few.text("split", config.fewshot_split);
    if (few.has("samples")) {
        const Json samples = few.value("samples");
        if (!samples.is_array() || samples.empty() || !std::all_of(samples.begin(), samples.end(), [](const Json& doc) { return doc.is_object(); }))
            few.fail("samples", "expected a list of maps");
        config.fewshot_samples = samples;
    }
    if (few.has("fewshot_indices")) few.fail("fewshot_indices", "not known here: give the examples as samples");
    config.fewshot_texts = texts_of(few, config.texts);
}

// What exact_match drops before it compares.
void read_exact_match(TaskMetric& metric, const FieldReader& entry) {
    for (const char* key : {"ignore_case", "ignore_punctuation", "ignore_numbers"}) metric.options[key] = entry.flag(key, false);
    metric.options["regexes_to_ignore"] = entry.texts("regexes_to_ignore");
    for (const Json& pattern : metric.options["regexes_to_ignore"]) PythonRegex(pattern.get<std::string>(), entry.place() + ": regexes_to_ignore");
}

TaskMetric metric_of(const Json& fields, const TaskConfig& config, const FieldReader& reader) {
    const std::string name = FieldReader(fields, reader.place() + ": metric_list").text("metric");
    const FieldReader entry(fields, reader.place() + ": metric_list: " + name);
    const std::vector<std::string> known = config.mc2 ? std::vector<std::string>{"acc"} : metrics_of(config.output_type);
    if (std::find(known.begin(), known.end(), name) == known.end())
        reader.fail("metric_list",
                    "unknown metric '" + name + "': known of " + reader.text("output_type", "generate_until") + " are " + joined(known));
    if (config.uses_metric(name)) reader.fail("metric_list", name + " stands there twice");
    TaskMetric metric = known_metric(name);
    std::vector<std::string> keys{"metric", "aggregation", "higher_is_better", "hf_evaluate",
                                  "weight_by_size"};  // the last is a group's, and of no use
    if (name == "exact_match") {
        keys.insert(keys.end(), {"regexes_to_ignore", "ignore_case", "ignore_punctuation", "ignore_numbers"});
        read_exact_match(metric, entry);
    }
    entry.check_keys(keys);
    metric.aggregation = entry.text("aggregation", metric.aggregation);
    const std::vector<std::string> fitting = aggregations_of(name);
    if (std::find(fitting.begin(), fitting.end(), metric.aggregation) == fitting.end())
        entry.fail("aggregation", "expected " + joined(fitting) + ", found " + metric.aggregation);
    metric.higher_is_better = entry.flag("higher_is_better", metric.higher_is_better);
    return metric;
}

void read_metrics(TaskConfig& config, const FieldReader& reader) {
    if (reader.has("metric_list"))
        for (const Json& fields : reader.maps("metric_list")) config.metrics.push_back(metric_of(fields, config, reader));
    else
        for (const std::string& name : default_metrics(config.output_type)) config.metrics.push_back(known_metric(name));
}

void read_filters(TaskConfig& config, const FieldReader& reader) {
    if (!reader.has("filter_list")) {
        config.filters.push_back({"none", Json::array({Json{{"function", "take_first"}}})});
        return;
    }
    for (const Json& fields : reader.maps("filter_list")) {
        const FieldReader entry(fields, reader.place() + ": filter_list");
        entry.check_keys({"name", "filter"});
        TaskFilter filter{entry.text("name"), Json::array()};
        if (filter.name.empty()) entry.fail("name", "missing");
        if (std::any_of(config.filters.begin(), config.filters.end(), [&](const TaskFilter& other) { return other.name == filter.name; }))
            entry.fail("name", filter.name + " stands there twice");
        for (const Json& step : entry.maps("filter")) filter.steps.push_back(step);
        const AnswerFilter made(config, filter);  // what is wrong with it is known before a model is asked
        if (config.output_type != OutputType::generate_until && filter.steps != Json::array({Json{{"function", "take_first"}}}))
            reader.fail("filter_list", filter.name + ": loglikelihoods are not filtered here, expected take_first alone");
        config.filters.push_back(std::move(filter));
    }
}

void read_generation(TaskConfig& config, const FieldReader& reader) {
    if (config.output_type != OutputType::generate_until) return;
    Json& arguments = config.generation_kwargs =
        reader.has("generation_kwargs") ? reader.value("generation_kwargs") : Json{{"temperature", 0.0}, {"do_sample", false}, {"max_gen_toks", 256}};
    if (!arguments.is_object()) reader.fail("generation_kwargs", "expected a map, found " + arguments.dump());
    if (!arguments.contains("until")) arguments["until"] = Json::array({config.texts.fewshot_delimiter});
    if (arguments["until"].is_string()) arguments["until"] = Json::array({arguments["until"]});
    config.generation = read_generation(FieldReader(arguments, reader.place() + ": generation_kwargs"));
}

TaskConfig task_of(const Json& fields, const fs::path& file, const fs::path& data) {
    const FieldReader reader(fields, file.string());
    for (const char* key : {"process_docs", "custom_dataset", "doc_to_image", "doc_to_audio", "use_prompt"})
        if (reader.has(key)) reader.fail(key, "not known here: texts are Jinja templates over the rows of a data file (docs/eval.md)");
    reader.check_keys(known_keys);
    TaskConfig config;
    config.file = file;
    config.fields = fields;
    config.task = reader.text("task");
    config.alias = reader.text("task_alias", config.task);
    config.output_type = output_type_of(reader);
    config.training_split = reader.text("training_split");
    config.validation_split = reader.text("validation_split");
    config.test_split = reader.text("test_split");
    if (config.split().empty()) reader.fail("test_split", "neither test_split nor validation_split names what is evaluated");
    if (const std::string results = reader.text("process_results"); !results.empty()) {
        if (results != "mc2") reader.fail("process_results", "expected mc2, the only one that needs no Python, found " + results);
        config.mc2 = true;
    }
    config.texts = texts_of(reader, {});
    if (config.texts.doc_to_target.is_null()) reader.fail("doc_to_target", "missing");
    if (config.texts.doc_to_text.is_null()) {
        if (config.output_type != OutputType::loglikelihood_rolling) reader.fail("doc_to_text", "missing");
        config.texts.doc_to_text = "";
    }
    if (config.output_type == OutputType::multiple_choice && config.texts.doc_to_choice.is_null()) reader.fail("doc_to_choice", "missing");
    config.description = reader.text("description");
    read_fewshot(config, reader);
    config.repeats = reader.count("repeats", 1).value_or(1);
    read_metrics(config, reader);
    read_filters(config, reader);
    read_generation(config, reader);
    if (reader.value("metadata").is_object() && reader.value("metadata").contains("version")) config.version = reader.value("metadata")["version"];
    read_data_files(config, reader, data);
    return config;
}

// Adds tasks and groups by name or file, each once.
class Loader {
  public:
    Loader(TaskIndex& index, const fs::path& data) : index_(index), data_(data) {}

    void add_name(const std::string& name) {
        if (const fs::path* file = index_.file_of(name)) return add_fields(load_task_yaml(*file), *file);
        if (const std::vector<std::string>* tasks = index_.tasks_of_tag(name)) {
            for (const std::string& task : *tasks) add_name(task);
            return;
        }
        const std::string near = index_.nearest(name);
        throw_error(ExitCode::usage, "unknown task '{}'{}; give the path of its .yaml file, or --tasks-dir the folder that has it", name,
                    near.empty() ? "" : "; did you mean " + near + "?");
    }
    void add_fields(const Json& fields, const fs::path& file) {
        if (fields.contains("group") && fields["group"].is_string()) add_group(fields, file);
        else if (!fields.contains("task") || !fields["task"].is_string())
            throw_error(ExitCode::bad_data, "{}: neither a task nor a group", file.string());
        else if (is_new(fields["task"].get<std::string>(), fields, file)) set_.tasks.push_back(task_of(fields, file, data_));
    }
    TaskSet take() {
        for (const TaskGroup& group : set_.groups)
            for (const GroupMetric& metric : group.metrics) check_group_metric(group, metric);
        return std::move(set_);
    }

  private:
    struct Origin {
        Json fields;
        fs::path file;
    };

    // The same task may be met several times, by name, tag and group; another one of its name would be lost.
    bool is_new(const std::string& name, const Json& fields, const fs::path& file) {
        const auto [known, fresh] = seen_.emplace(name, Origin{fields, file});
        const Origin& first = known->second;
        if (!fresh && (first.fields != fields || fs::weakly_canonical(first.file) != fs::weakly_canonical(file)))
            throw_error(ExitCode::bad_data, "{}: '{}' is in {} already, as another task or with other fields: give one of them another name",
                        file.string(), name, first.file.string());
        return fresh;
    }

    void add_group(const Json& fields, const fs::path& file) {
        const FieldReader reader(fields, file.string());
        reader.check_keys({"group", "group_alias", "task", "aggregate_metric_list", "metadata", "tag"});
        TaskGroup group;
        group.name = reader.text("group");
        group.file = file;
        if (std::find(open_.begin(), open_.end(), group.name) != open_.end()) reader.fail("task", "the group " + group.name + " holds itself");
        if (!is_new(group.name, fields, file)) return;
        open_.push_back(group.name);
        group.alias = reader.text("group_alias", group.name);
        const Json children = reader.value("task");
        for (const Json& child : children.is_array() ? children : Json::array({children})) add_child(group, child, reader, file);
        const Json list = reader.value("aggregate_metric_list");
        for (const Json& entry : list.is_object() ? Json::array({list}) : list.is_null() ? Json::array() : list)
            group.metrics.push_back(group_metric_of(entry, reader));
        if (reader.value("metadata").is_object() && reader.value("metadata").contains("version")) group.version = reader.value("metadata")["version"];
        open_.pop_back();
        set_.groups.push_back(std::move(group));
    }

    static GroupMetric group_metric_of(const Json& fields, const FieldReader& reader) {
        const FieldReader entry(fields, reader.place() + ": aggregate_metric_list");
        if (!fields.is_object() || !entry.has("metric"))
            reader.fail("aggregate_metric_list", "expected maps {metric, filter_list, weight_by_size}, found " + fields.dump());
        entry.check_keys({"metric", "aggregation", "filter_list", "weight_by_size", "hf_evaluate"});
        if (entry.text("aggregation", "mean") != "mean") entry.fail("aggregation", "expected mean, found " + entry.text("aggregation"));
        GroupMetric metric{entry.text("metric"), std::nullopt, entry.flag("weight_by_size", true)};
        if (entry.value("filter_list").is_string()) metric.filters = {entry.text("filter_list")};
        else if (entry.has("filter_list")) metric.filters = entry.texts("filter_list");
        return metric;
    }

    // A name that is no metric is a mistake; one that no task has leaves the group without its value, in the reference as well.
    void check_group_metric(const TaskGroup& group, const GroupMetric& metric) {
        const std::vector<std::string> known = all_metrics(), tasks = tasks_below(group, set_.groups);
        if (std::find(known.begin(), known.end(), metric.metric) == known.end()) {
            const std::string near = nearest_name(metric.metric, known);
            throw_error(ExitCode::bad_data, "{}: aggregate_metric_list: unknown metric '{}'{}", group.file.string(), metric.metric,
                        near.empty() ? ": known are " + joined(known) : "; did you mean " + near + "?");
        }
        const auto has_it = [&](const TaskConfig& task) {
            return std::find(tasks.begin(), tasks.end(), task.task) != tasks.end() && task.uses_metric(metric.metric) &&
                   (!metric.filters || std::any_of(task.filters.begin(), task.filters.end(), [&](const TaskFilter& filter) {
                       return std::find(metric.filters->begin(), metric.filters->end(), filter.name) != metric.filters->end();
                   }));
        };
        if (std::none_of(set_.tasks.begin(), set_.tasks.end(), has_it))
            set_.warnings.push_back(fmt::format("{}: group {} has no value of {}: no task of it has this metric{}", group.file.string(), group.name,
                                                metric.metric, metric.filters ? " behind one of the filters " + joined(*metric.filters) : ""));
    }

    // A name, or a map: a group of its own, or a task with other fields.
    void add_child(TaskGroup& group, const Json& child, const FieldReader& reader, const fs::path& file) {
        if (child.is_string()) {
            const std::string name = child.get<std::string>();
            add_name(name);
            if (const std::vector<std::string>* tasks = index_.file_of(name) ? nullptr : index_.tasks_of_tag(name))
                group.children.insert(group.children.end(), tasks->begin(), tasks->end());
            else group.children.push_back(name);
            return;
        }
        const char* const kind = child.is_object() && child.contains("group") ? "group" : "task";
        const std::string name = FieldReader(child, reader.place() + ": task").text(kind);
        if (name.empty()) reader.fail("task", "expected names, or maps with a task, found " + child.dump());
        Json fields = child;
        fs::path from = file;
        if (const fs::path* known = std::string(kind) == "task" ? index_.file_of(name) : nullptr) {
            fields = load_task_yaml(*known);
            fields.update(child);
            from = *known;
        }
        add_fields(fields, from);
        group.children.push_back(name);
    }

    TaskIndex& index_;
    const fs::path& data_;
    TaskSet set_;
    std::map<std::string, Origin> seen_;  // tasks and groups
    std::vector<std::string> open_;       // groups that are being read
};

bool is_file_name(const std::string& name) { return name.ends_with(".yaml") || name.ends_with(".yml") || name.find('/') != std::string::npos; }

}  // namespace

bool TaskConfig::uses_metric(const std::string& name) const {
    return std::any_of(metrics.begin(), metrics.end(), [&](const TaskMetric& metric) { return metric.name == name; });
}

bool TaskConfig::uses_aggregation(const std::string& name) const {
    return std::any_of(metrics.begin(), metrics.end(), [&](const TaskMetric& metric) { return metric.aggregation == name; });
}

const std::string& TaskConfig::examples_split() const {
    static const std::string none;
    if (num_fewshot == 0) return none;
    if (!fewshot_split.empty()) return fewshot_split;
    if (fewshot_samples) return none;
    return !training_split.empty() ? training_split : !validation_split.empty() ? validation_split : test_split;
}

std::vector<std::string> tasks_below(const TaskGroup& group, const std::vector<TaskGroup>& groups) {
    std::vector<std::string> tasks;
    for (const std::string& child : group.children) {
        const auto below = std::find_if(groups.begin(), groups.end(), [&](const TaskGroup& other) { return other.name == child; });
        const std::vector<std::string> own = below != groups.end() ? tasks_below(*below, groups) : std::vector<std::string>{child};
        tasks.insert(tasks.end(), own.begin(), own.end());
    }
    return tasks;
}

TaskSet load_tasks(const std::vector<std::string>& names, const fs::path& folder, const fs::path& data) {
    TaskIndex index;
    std::set<fs::path> folders;
    for (const std::string& name : names)
        if (is_file_name(name) && folders.insert(fs::path(name).parent_path()).second) {
            const fs::path beside = fs::path(name).parent_path();
            index.add_folder(beside.empty() ? "." : beside);
        }
    index.add_folder(folder);
    Loader loader(index, data);
    for (const std::string& name : names)
        if (is_file_name(name)) loader.add_fields(load_task_yaml(name), name);
        else loader.add_name(name);
    return loader.take();
}

}  // namespace temper
