#include "eval/task_config.h"

#include <algorithm>
#include <set>

#include "eval/task_files.h"
#include "eval/task_metrics.h"
#include "io/nearest.h"
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

// Reads one file's fields; every message opens with the file.
class Reader {
  public:
    Reader(const Json& fields, std::string place) : fields_(fields), place_(std::move(place)) {}

    [[noreturn]] void fail(const std::string& key, const std::string& what) const {
        throw_error(ExitCode::bad_data, "{}: {}: {}", place_, key, what);
    }

    bool has(const char* key) const { return fields_.contains(key) && !fields_[key].is_null(); }
    Json value(const char* key) const { return has(key) ? fields_[key] : Json(); }
    std::string text(const char* key, const std::string& otherwise = "") const {
        if (!has(key)) return otherwise;
        if (!fields_[key].is_string()) fail(key, "expected a text, found " + fields_[key].dump());
        return fields_[key].get<std::string>();
    }
    std::optional<std::int64_t> count(const char* key, std::int64_t least) const {
        if (!has(key)) return std::nullopt;
        if (!fields_[key].is_number_integer() || fields_[key].get<std::int64_t>() < least)
            fail(key, fmt::format("expected a whole number from {} on, found {}", least, fields_[key].dump()));
        return fields_[key].get<std::int64_t>();
    }
    void check_keys(const std::vector<std::string>& known) const {
        for (const auto& [key, ignored] : fields_.items())
            if (std::find(known.begin(), known.end(), key) == known.end()) {
                const std::string near = nearest_name(key, known);
                fail(key, "not known here" + (near.empty() ? std::string() : "; did you mean " + near + "?"));
            }
    }
    const std::string& place() const { return place_; }

  private:
    const Json& fields_;
    std::string place_;
};

OutputType output_type_of(const Reader& reader) {
    const std::string name = reader.text("output_type", "generate_until");
    if (name == "loglikelihood") return OutputType::loglikelihood;
    if (name == "loglikelihood_rolling") return OutputType::loglikelihood_rolling;
    if (name == "multiple_choice") return OutputType::multiple_choice;
    if (name == "generate_until") return OutputType::generate_until;
    reader.fail("output_type", "expected loglikelihood, loglikelihood_rolling, multiple_choice or generate_until, found " + name);
}

TaskTexts texts_of(const Reader& reader, const TaskTexts& otherwise) {
    TaskTexts texts = otherwise;
    for (const auto& [key, field] : {std::pair{"doc_to_text", &texts.doc_to_text}, std::pair{"doc_to_target", &texts.doc_to_target},
                                     std::pair{"doc_to_choice", &texts.doc_to_choice}, std::pair{"gen_prefix", &texts.gen_prefix}})
        if (reader.has(key)) *field = reader.value(key);
    texts.target_delimiter = reader.text("target_delimiter", texts.target_delimiter);
    texts.fewshot_delimiter = reader.text("fewshot_delimiter", texts.fewshot_delimiter);
    return texts;
}

void add_files(std::vector<fs::path>& to, const Json& files, const Reader& reader, const fs::path& folder) {
    for (const Json& file : files.is_array() ? files : Json::array({files})) {
        if (!file.is_string()) reader.fail("dataset_kwargs.data_files", "expected a path, a list of paths or a map of splits, found " + file.dump());
        to.push_back(folder / file.get<std::string>());
    }
}

void read_data_files(TaskConfig& config, const Reader& reader, const fs::path& data) {
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

void read_fewshot(TaskConfig& config, const Reader& reader) {
    config.given_fewshot = reader.count("num_fewshot", 0);
    config.num_fewshot = config.given_fewshot.value_or(0);
    config.fewshot_split = reader.text("fewshot_split");
    config.fewshot_texts = config.texts;
    if (!reader.has("fewshot_config")) return;
    const Json fields = reader.value("fewshot_config");
    if (!fields.is_object()) reader.fail("fewshot_config", "expected a map");
    const Reader few(fields, reader.place() + ": fewshot_config");
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

void read_metrics(TaskConfig& config, const Reader& reader) {
    if (!reader.has("metric_list")) {
        for (const std::string& name : default_metrics(config.output_type)) config.metrics.push_back(known_metric(name));
        return;
    }
    const Json list = reader.value("metric_list");
    if (!list.is_array()) reader.fail("metric_list", "expected a list");
    for (const Json& entry : list) {
        if (!entry.is_object() || !entry.contains("metric") || !entry["metric"].is_string())
            reader.fail("metric_list", "expected maps with a metric");
        const std::string name = entry["metric"].get<std::string>();
        if (!is_known_metric(name)) reader.fail("metric_list", "unknown metric '" + name + "': known are " + known_metric_names());
        TaskMetric metric = known_metric(name);
        for (const auto& [key, value] : entry.items()) {
            if (key == "metric" || key == "hf_evaluate") continue;
            if (key == "aggregation") metric.aggregation = value.is_string() ? value.get<std::string>() : value.dump();
            else if (key == "higher_is_better") metric.higher_is_better = value.is_boolean() && value.get<bool>();
            else metric.options[key] = value;
        }
        if (!is_known_aggregation(metric.aggregation)) reader.fail("metric_list", "unknown aggregation '" + metric.aggregation + "' of " + name);
        config.metrics.push_back(std::move(metric));
    }
}

void read_filters(TaskConfig& config, const Reader& reader) {
    if (!reader.has("filter_list")) {
        config.filters.push_back({"none", Json::array({Json{{"function", "take_first"}}})});
        return;
    }
    const Json list = reader.value("filter_list");
    for (const Json& entry : list) {
        if (!entry.is_object() || !entry.contains("name") || !entry["name"].is_string() || !entry.contains("filter") || !entry["filter"].is_array())
            reader.fail("filter_list", "expected maps with a name and a list filter");
        config.filters.push_back({entry["name"].get<std::string>(), entry["filter"]});
    }
    if (config.filters.empty()) reader.fail("filter_list", "expected a list with a filter");
}

void read_generation(TaskConfig& config, const Reader& reader) {
    if (config.output_type != OutputType::generate_until) return;
    config.generation_kwargs =
        reader.has("generation_kwargs") ? reader.value("generation_kwargs") : Json{{"temperature", 0.0}, {"do_sample", false}, {"max_gen_toks", 256}};
    Json& arguments = config.generation_kwargs;
    if (!arguments.is_object()) reader.fail("generation_kwargs", "expected a map");
    if (!arguments.contains("until")) arguments["until"] = Json::array({config.texts.fewshot_delimiter});
    if (arguments["until"].is_string()) arguments["until"] = Json::array({arguments["until"]});
}

TaskConfig task_of(const Json& fields, const fs::path& file, const fs::path& data) {
    const Reader reader(fields, file.string());
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
    read_metrics(config, reader);
    read_filters(config, reader);
    read_generation(config, reader);
    config.repeats = reader.count("repeats", 1).value_or(1);
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
        else if (seen_.insert(fields["task"].get<std::string>()).second) set_.tasks.push_back(task_of(fields, file, data_));
    }
    TaskSet take() { return std::move(set_); }

  private:
    void add_group(const Json& fields, const fs::path& file) {
        const Reader reader(fields, file.string());
        reader.check_keys({"group", "group_alias", "task", "aggregate_metric_list", "metadata", "tag"});
        TaskGroup group;
        group.name = reader.text("group");
        if (!seen_.insert(group.name).second) return;
        group.alias = reader.text("group_alias", group.name);
        const Json children = reader.value("task");
        for (const Json& child : children.is_array() ? children : Json::array({children})) add_child(group, child, reader, file);
        const Json list = reader.value("aggregate_metric_list");
        for (const Json& entry : list.is_object() ? Json::array({list}) : list.is_null() ? Json::array() : list) {
            if (!entry.is_object() || !entry.contains("metric") || entry.value("aggregation", "mean") != "mean")
                reader.fail("aggregate_metric_list", "expected maps {metric, filter_list, weight_by_size} whose aggregation is mean");
            GroupMetric metric{entry["metric"].get<std::string>(), std::nullopt, entry.value("weight_by_size", true)};
            if (entry.contains("filter_list") && !entry["filter_list"].is_null()) {
                metric.filters.emplace();
                for (const Json& name : entry["filter_list"].is_array() ? entry["filter_list"] : Json::array({entry["filter_list"]}))
                    metric.filters->push_back(name.get<std::string>());
            }
            group.metrics.push_back(std::move(metric));
        }
        if (reader.value("metadata").is_object() && reader.value("metadata").contains("version")) group.version = reader.value("metadata")["version"];
        set_.groups.push_back(std::move(group));
    }
    // A name, or a map: a group of its own, or a task with other fields.
    void add_child(TaskGroup& group, const Json& child, const Reader& reader, const fs::path& file) {
        if (child.is_string()) {
            const std::string name = child.get<std::string>();
            add_name(name);
            if (const std::vector<std::string>* tasks = index_.file_of(name) ? nullptr : index_.tasks_of_tag(name))
                group.children.insert(group.children.end(), tasks->begin(), tasks->end());
            else group.children.push_back(name);
            return;
        }
        if (!child.is_object() || (!child.contains("task") && !child.contains("group"))) reader.fail("task", "expected names, or maps with a task");
        Json fields = child;
        fs::path from = file;
        if (!child.contains("group") && child["task"].is_string())
            if (const fs::path* known = index_.file_of(child["task"].get<std::string>())) {
                fields = load_task_yaml(*known);
                fields.update(child);
                from = *known;
            }
        add_fields(fields, from);
        group.children.push_back(child.contains("group") ? child["group"].get<std::string>() : child["task"].get<std::string>());
    }

    TaskIndex& index_;
    const fs::path& data_;
    TaskSet set_;
    std::set<std::string> seen_;
};

bool is_file_name(const std::string& name) { return name.ends_with(".yaml") || name.ends_with(".yml") || name.find('/') != std::string::npos; }

}  // namespace

bool TaskConfig::uses_metric(const std::string& name) const {
    return std::any_of(metrics.begin(), metrics.end(), [&](const TaskMetric& metric) { return metric.name == name; });
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
