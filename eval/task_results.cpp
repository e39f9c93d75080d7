#include "eval/task_results.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace temper {
namespace {

Json result_of(const ScoredTask& task, std::int64_t bootstrap_iters, int threads) {
    Json result{{"name", task.config->task}, {"alias", task.config->alias}, {"sample_len", task.docs}};
    for (const ScoredMetric& scored : task.metrics) {
        const auto known = std::find_if(task.config->metrics.begin(), task.config->metrics.end(),
                                        [&](const TaskMetric& metric) { return metric.name == scored.metric; });
        const std::string aggregation = known->aggregation;
        result[scored.metric + "," + scored.filter] = aggregate(aggregation, scored.values);
        const std::optional<double> error = standard_error(aggregation, scored.values, bootstrap_iters, threads);
        result[scored.metric + "_stderr," + scored.filter] = error ? Json(*error) : Json("N/A");
    }
    return result;
}

std::vector<std::string> filters_of(const GroupMetric& metric, const std::vector<std::string>& leaves, const Json& results) {
    if (metric.filters) return *metric.filters;
    std::set<std::string> found;
    for (const std::string& leaf : leaves)
        if (results.contains(leaf))
            for (const auto& [key, ignored] : results[leaf].items())
                if (key.starts_with(metric.metric + ",")) found.insert(key.substr(metric.metric.size() + 1));
    return {found.begin(), found.end()};
}

struct Part {
    double value, error, size;
};

double weighted_mean(const std::vector<Part>& parts, bool by_size) {
    double sum = 0.0, size = 0.0;
    for (const Part& part : parts) sum += part.value * (by_size ? part.size : 1.0), size += by_size ? part.size : 1.0;
    return sum / size;
}

// Pooled where the mean is weighted by size; that of a mean of independent means where it is not.
double combined_error(const std::vector<Part>& parts, bool by_size) {
    double sum = 0.0, size = 0.0;
    const auto count = static_cast<double>(parts.size());
    for (const Part& part : parts) {
        sum += by_size ? (part.size - 1.0) * part.error * part.error * part.size : part.error * part.error;
        size += part.size;
    }
    return by_size ? std::sqrt(sum / (size - count) / size) : std::sqrt(sum) / count;
}

Json group_result(const TaskGroup& group, const std::vector<TaskGroup>& groups, const Json& results) {
    Json result{{"alias", group.alias}, {"name", group.name}};
    if (group.metrics.empty()) return result;
    const std::vector<std::string> leaves = tasks_below(group, groups);
    std::int64_t docs = 0;
    for (const std::string& leaf : leaves)
        if (results.contains(leaf)) docs += results[leaf]["sample_len"].get<std::int64_t>();
    result["sample_len"] = docs;
    Json counts = Json::object();
    for (const GroupMetric& metric : group.metrics)
        for (const std::string& filter : filters_of(metric, leaves, results)) {
            const std::string key = metric.metric + "," + filter, error_key = metric.metric + "_stderr," + filter;
            std::vector<Part> parts;
            bool errors = true;
            double size = 0.0;
            for (const std::string& leaf : leaves) {
                if (!results.contains(leaf) || !results[leaf].contains(key)) continue;
                const Json& task = results[leaf];
                const bool has_error = task[error_key].is_number();
                errors &= has_error;
                parts.push_back({task[key].get<double>(), has_error ? task[error_key].get<double>() : 0.0,
                                 static_cast<double>(task["sample_len"].get<std::int64_t>())});
                size += parts.back().size;
            }
            if (parts.empty()) continue;
            result[key] = weighted_mean(parts, metric.weight_by_size);
            counts[key] = static_cast<std::int64_t>(size);
            result[error_key] = errors ? Json(combined_error(parts, metric.weight_by_size)) : Json("N/A");
        }
    if (!counts.empty()) result["sample_count"] = counts;
    return result;
}

Json config_of(const TaskConfig& config) {
    Json shown = config.fields;
    shown["task"] = config.task;
    shown["num_fewshot"] = config.num_fewshot;
    return shown;
}

Json sorted(const Json& object) {
    std::map<std::string, Json> entries;
    for (const auto& [key, value] : object.items()) entries[key] = value;
    Json result = Json::object();
    for (const auto& [key, value] : entries) result[key] = value;
    return result;
}

}  // namespace

Json task_results(const std::vector<ScoredTask>& tasks, const std::vector<TaskGroup>& groups, std::int64_t bootstrap_iters, int threads) {
    Json results = Json::object(), of_groups = Json::object(), subtasks = Json::object(), configs = Json::object(), versions = Json::object(),
         shots = Json::object(), higher = Json::object(), samples = Json::object();
    for (const ScoredTask& task : tasks) {
        const std::string& name = task.config->task;
        results[name] = result_of(task, bootstrap_iters, threads);
        configs[name] = config_of(*task.config);
        versions[name] = task.config->version.is_null() ? Json("Yaml") : task.config->version;
        shots[name] = task.config->num_fewshot;
        for (const TaskMetric& metric : task.config->metrics) higher[name][metric.name] = metric.higher_is_better;
        samples[name] = Json{{"original", task.all_docs}, {"effective", task.docs}};
        if (task.cut_docs > 0) samples[name]["cut_prompts"] = task.cut_docs;
        if (task.docs_without_right > 0) samples[name]["without_right_choice"] = task.docs_without_right;
    }
    for (const TaskGroup& group : groups) {
        const Json result = group_result(group, groups, results);
        subtasks[group.name] = group.children;
        versions[group.name] = group.version.is_null() ? Json("N/A") : group.version.is_string() ? group.version : Json(group.version.dump());
        if (!group.metrics.empty()) of_groups[group.name] = result;
        results[group.name] = result;
    }
    Json all{{"results", results}};
    if (!of_groups.empty()) all["groups"] = of_groups;
    all["group_subtasks"] = subtasks;
    all["configs"] = sorted(configs);
    all["versions"] = sorted(versions);
    all["n-shot"] = sorted(shots);
    all["higher_is_better"] = sorted(higher);
    all["n-samples"] = samples;
    return all;
}

}  // namespace temper
