#include "runs/comparison.h"

#include <cmath>
#include <map>

#include "kernels/error.h"
#include "runs/metric_direction.h"
#include "runs/record_fields.h"
#include "runs/run_index.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

bool has_scores(const fs::path& run) { return fs::is_regular_file(run / "eval" / "results.json"); }

const Json& member(const Json& record, const char* name) {
    static const Json none = Json::object();
    const auto at = record.find(name);
    return at == record.end() ? none : *at;
}

std::map<std::string, Json> leaves_of(const Json& value) {
    std::map<std::string, Json> leaves;
    for_each_leaf(value, "", [&](const std::string& name, const Json& leaf) { leaves[name] = leaf; });
    return leaves;
}

// Numbers that both have; equal ones are left out.
Json compare_numbers(const Json& a, const Json& b) {
    Json list = Json::array();
    const std::map<std::string, Json> left = leaves_of(a), right = leaves_of(b);
    for (const auto& [name, value] : left) {
        const auto other = right.find(name);
        if (other == right.end() || !value.is_number() || !other->second.is_number()) continue;
        const double difference = other->second.get<double>() - value.get<double>();
        if (difference == 0) continue;
        const int direction = metric_direction(name);
        const Json better = direction == 0 ? Json() : Json(difference * direction > 0 ? "b" : "a");
        list.push_back({{"name", name}, {"a", value}, {"b", other->second}, {"difference", difference}, {"better", better}});
    }
    return list;
}

// What decides the bits beside settings and data, apart from where it ran.
Json kernels_of(const Json& record) {
    const Json& environment = member(record, "environment");
    Json kernels = Json::object();
    for (const char* name : {"isa", "device", "device_name", "algorithms", "git", "versions"})
        if (const auto at = environment.find(name); at != environment.end()) kernels[name] = *at;
    return kernels;
}

Json environment_of(const Json& record) {
    Json rest = member(record, "environment");
    for (const char* name : {"isa", "device", "device_name", "algorithms", "git", "versions", "job"}) rest.erase(name);
    return rest;
}

Json side(const ListedRun& run, const fs::path& scored) {
    return {{"run_id", run.path.filename().string()},
            {"run_dir", run.path.string()},
            {"run_name", run.record.value("run_name", Json())},
            {"status", run.status},
            {"scored", scored.empty() ? Json() : Json(scored.string())}};
}

Json summary_of(const Json& scores, double level) {
    std::int64_t a = 0, b = 0, undecided = 0;
    for (const Json& score : scores) {
        const bool certain = score.value("certain", false);
        if (certain && score["better"] == "a") ++a;
        else if (certain && score["better"] == "b") ++b;
        else ++undecided;
    }
    return {{"a_better", a}, {"b_better", b}, {"undecided", undecided}, {"level", level}};
}

}  // namespace

Json compare_leaves(const Json& a, const Json& b) {
    Json list = Json::array();
    const std::map<std::string, Json> left = leaves_of(a), right = leaves_of(b);
    std::map<std::string, Json> all = left;
    all.insert(right.begin(), right.end());
    for (const auto& [name, unused] : all) {
        const auto in_a = left.find(name), in_b = right.find(name);
        const Json value_a = in_a == left.end() ? Json() : in_a->second, value_b = in_b == right.end() ? Json() : in_b->second;
        if (value_a != value_b) list.push_back({{"name", name}, {"a", value_a}, {"b", value_b}});
    }
    return list;
}

fs::path scored_run(const ListedRun& run) {
    if (has_scores(run.path)) return run.path;
    const fs::path folder = run.path.has_parent_path() ? run.path.parent_path() : fs::path(".");
    const std::string id = run.path.filename().string();
    const RunIndex index = RunIndex::open(folder);
    const std::string adapter = run_field_sql("config.adapter", ""), parent = run_field_sql("parent_run_id", "");
    const RunQuery questions[] = {{"instr(" + adapter + ", ?) > 0 AND r.status = 'finished'", {"config.adapter", id + "/"}, {}},
                                  {parent + " = ? AND r.status = 'finished'", {"parent_run_id", id}, {}}};
    for (const RunQuery& question : questions) {
        const std::vector<IndexedRun> found = index.select(question, {});
        for (auto one = found.rbegin(); one != found.rend(); ++one)
            if (has_scores(folder / one->dir)) return folder / one->dir;
    }
    return {};
}

Json compare_runs(const ListedRun& a, const ListedRun& b, const ComparisonOptions& options) {
    const fs::path scored_a = scored_run(a), scored_b = scored_run(b);
    Json result{{"a", side(a, scored_a)}, {"b", side(b, scored_b)}};
    result["scores"] = scored_a.empty() || scored_b.empty() ? Json::array() : compare_scores(scored_a, scored_b, options);
    // An evaluation's metrics are its scores.
    Json metrics_a = member(a.record, "metrics"), metrics_b = member(b.record, "metrics");
    for (const Json& score : result["scores"])
        for (Json* metrics : {&metrics_a, &metrics_b}) metrics->erase(score["name"].get<std::string>());
    result["metrics"] = compare_numbers(metrics_a, metrics_b);
    result["performance"] = compare_numbers(member(a.record, "performance"), member(b.record, "performance"));
    result["data"] = compare_data(a.record, b.record, options);
    result["settings"] = compare_leaves(member(a.record, "config"), member(b.record, "config"));
    if (!scored_a.empty() && !scored_b.empty() && (scored_a != a.path || scored_b != b.path)) {
        const Json left = read_run(scored_a).record, right = read_run(scored_b).record;
        for (Json& difference : compare_leaves(member(left, "config"), member(right, "config"))) {
            difference["name"] = "evaluation: " + difference["name"].get<std::string>();
            result["settings"].push_back(difference);
        }
    }
    result["kernels"] = compare_leaves(kernels_of(a.record), kernels_of(b.record));
    result["environment"] = compare_leaves(environment_of(a.record), environment_of(b.record));
    result["summary"] = summary_of(result["scores"], options.level);
    return result;
}

}  // namespace temper
