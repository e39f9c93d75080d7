#include "eval/set_results.h"

#include <algorithm>

#include "io/durable.h"
#include "io/jinja/print.h"
#include "io/json_text.h"

namespace temper {
namespace {

bool every_row(std::size_t) { return true; }

KeepRow with_tag(const EvaluationSet& set, const std::string& tag) {
    return [&set, tag](std::size_t row) {
        const std::vector<std::string>& tags = set.rows()[row].tags;
        return std::find(tags.begin(), tags.end(), tag) != tags.end();
    };
}

std::int64_t rows_with(const EvaluationSet& set, const KeepRow& keep) {
    std::int64_t rows = 0;
    for (std::size_t i = 0; i < set.rows().size(); ++i) rows += keep(i);
    return rows;
}

std::optional<Estimate> estimate_of(const GradedSet& graded, const Measure& measure, const KeepRow& keep, int threads) {
    const SetSettings& settings = graded.set->settings();
    return estimate(measure, keep, settings.resamples, static_cast<std::uint64_t>(settings.bootstrap_seed), threads);
}

Json json_of(const Estimate& estimate) {
    return {{"value", estimate.value}, {"interval", {estimate.interval.low, estimate.interval.high}}, {"rows", estimate.rows}};
}

Json tag_results(const GradedSet& graded, int threads) {
    Json tags = Json::object();
    for (const std::string& tag : graded.set->tags()) {
        const KeepRow keep = with_tag(*graded.set, tag);
        Json metrics = Json::object();
        for (const Measure& measure : graded.grades.measures)
            if (const auto found = estimate_of(graded, measure, keep, threads)) metrics[measure.name] = json_of(*found);
        tags[tag] = Json{{"rows", rows_with(*graded.set, keep)}, {"metrics", metrics}};
    }
    return tags;
}

std::string python_text(const Json& value) {
    return value.is_null() ? "" : value.is_string() ? value.get<std::string>() : jinja::repr_of(jinja::Value::json(value));
}

Json generation_arguments(const SetGeneration& generation) {
    return {{"until", generation.until},
            {"max_gen_toks", generation.max_new_tokens},
            {"do_sample", generation.temperature > 0.0},
            {"temperature", generation.temperature}};
}

Json compared_metrics(const std::vector<std::string>& names, const std::vector<const GradedSet*>& systems, int baseline, const KeepRow& keep,
                      int threads) {
    Json metrics = Json::object();
    std::vector<const Measure*> measures;  // of any system, by name: a preference is of those that are no baseline
    for (const GradedSet* graded : systems)
        for (const Measure& measure : graded->grades.measures)
            if (std::none_of(measures.begin(), measures.end(), [&](const Measure* known) { return known->name == measure.name; }))
                measures.push_back(&measure);
    for (const Measure* measure : measures) {
        Json values = Json::object();
        for (std::size_t s = 0; s < systems.size(); ++s) {
            const Measure* const ours = systems[s]->grades.find(measure->name);
            const auto found = ours == nullptr ? std::nullopt : estimate_of(*systems[s], *ours, keep, threads);
            if (!found) continue;
            Json entry = json_of(*found);
            const Measure* const theirs = baseline < 0 ? nullptr : systems[static_cast<std::size_t>(baseline)]->grades.find(measure->name);
            if (theirs != nullptr && static_cast<int>(s) != baseline) {
                const SetSettings& settings = systems[s]->set->settings();
                if (const auto paired =
                        paired_difference(*ours, *theirs, keep, settings.resamples, static_cast<std::uint64_t>(settings.bootstrap_seed), threads))
                    entry.update(Json{{"difference", paired->difference},
                                      {"difference_interval", {paired->interval.low, paired->interval.high}},
                                      {"p_value", paired->p_value},
                                      {"paired_rows", paired->rows}});
            }
            values[names[s]] = std::move(entry);
        }
        if (!values.empty()) metrics[measure->name] = Json{{"higher_is_better", measure->higher_is_better}, {"systems", values}};
    }
    return metrics;
}

std::string number(const Json& value) { return fmt::format("{:.4f}", value.get<double>()); }
std::string interval(const Json& value) { return "[" + number(value[0]) + ", " + number(value[1]) + "]"; }

}  // namespace

Json set_results(const std::vector<GradedSet>& sets, int threads) {
    Json all{{"results", Json::object()}};
    Json judges = Json::object();
    for (const char* name : {"intervals", "tags", "group_subtasks", "configs", "versions", "n-shot", "higher_is_better", "n-samples"})
        all[name] = Json::object();
    for (const GradedSet& graded : sets) {
        const EvaluationSet& set = *graded.set;
        const std::string& name = set.settings().name;
        const auto rows = static_cast<std::int64_t>(set.rows().size());
        all["results"][name] = Json{{"name", name}, {"alias", name}, {"sample_len", rows}};
        all["intervals"][name] = Json::object();
        for (const Measure& measure : graded.grades.measures) {
            all["higher_is_better"][name][measure.name] = measure.higher_is_better;
            const auto found = estimate_of(graded, measure, every_row, threads);
            if (!found) continue;  // no row has it
            if (found->rows < rows) all["rows"][name][measure.name] = found->rows;
            all["results"][name][measure.name + ",none"] = found->value;
            all["results"][name][measure.name + "_stderr,none"] = found->error;
            all["intervals"][name][measure.name] = {found->interval.low, found->interval.high};
        }
        all["tags"][name] = tag_results(graded, threads);
        if (graded.judges.is_object()) judges[name] = graded.judges;
        all["group_subtasks"][name] = Json::array();
        all["configs"][name] = set.json();
        all["versions"][name] = "Yaml";
        all["n-shot"][name] = 0;
        all["n-samples"][name] = Json{{"original", set.all_rows()}, {"effective", rows}};
    }
    if (!judges.empty()) all["judges"] = judges;
    return all;
}

std::string row_hash(const SetRow& row) { return sha256_hex(json_text(row.fields, 2)); }

std::vector<Json> set_samples(const GradedSet& graded) {
    std::vector<Json> samples;
    for (std::size_t i = 0; i < graded.set->rows().size(); ++i) {
        const SetRow& row = graded.set->rows()[i];
        const SetAnswer& answer = graded.answers[i];
        const std::string target = python_text(row.fields.value("reference", Json()));
        Json sample{{"doc_id", i},
                    {"id", row.id},
                    {"tags", row.tags},
                    {"doc", row.fields},
                    {"target", target},
                    {"arguments", {{"gen_args_0", {{"arg_0", answer.prompt}, {"arg_1", generation_arguments(graded.set->settings().generation)}}}}},
                    {"resps", Json::array({Json::array({answer.text})})},
                    {"filtered_resps", Json::array({answer.text})},
                    {"filter", "none"},
                    {"metrics", Json::array()},
                    {"doc_hash", row_hash(row)},
                    {"prompt_hash", sha256_hex(answer.prompt)},
                    {"target_hash", sha256_hex(target)},
                    {"finish_reason", answer.cut ? "length" : "stop"}};
        for (const Measure& measure : graded.grades.measures)
            if (const auto value = measure.row_value(i)) {
                sample["metrics"].push_back(measure.name);
                sample[measure.name] = *value;
            }
        for (const HardChecks::Result& result : graded.grades.checks[i]) sample["checks"][result.check] = result.fault;
        for (const auto& [judge, judgement] : graded.grades.judges[i])
            sample["judges"][judge] = judgement.value ? judgement.verdict : Json{{"rejected", judgement.reason}};
        samples.push_back(std::move(sample));
    }
    return samples;
}

Json compare_systems(const std::vector<std::string>& names, const std::vector<std::vector<GradedSet>>& systems, int baseline, int threads) {
    Json comparison{
        {"baseline", baseline < 0 ? Json() : Json(names[static_cast<std::size_t>(baseline)])}, {"systems", names}, {"sets", Json::object()}};
    for (std::size_t t = 0; t < systems[0].size(); ++t) {
        std::vector<const GradedSet*> graded;
        for (const std::vector<GradedSet>& system : systems) graded.push_back(&system[t]);
        const EvaluationSet& set = *graded[0]->set;
        Json tags = Json::object();
        for (const std::string& tag : set.tags()) {
            const KeepRow keep = with_tag(set, tag);
            tags[tag] = Json{{"rows", rows_with(set, keep)}, {"metrics", compared_metrics(names, graded, baseline, keep, threads)}};
        }
        comparison["sets"][set.settings().name] =
            Json{{"rows", set.rows().size()}, {"metrics", compared_metrics(names, graded, baseline, every_row, threads)}, {"tags", tags}};
    }
    return comparison;
}

std::vector<std::string> comparison_table(const Json& comparison) {
    std::vector<std::string> lines;
    std::size_t widest = 6;
    for (const Json& name : comparison.at("systems")) widest = std::max(widest, name.get_ref<const std::string&>().size());
    const auto add = [&](const std::string& label, const Json& entry) {
        for (const auto& [system, value] : entry.at("systems").items()) {
            std::string line =
                fmt::format("  {:<28} {:<{}} {:>9} {:<20}", label, system, widest, number(value.at("value")), interval(value.at("interval")));
            if (value.contains("difference"))
                line += fmt::format("  difference {:>8} {:<20}  p {}", number(value.at("difference")), interval(value.at("difference_interval")),
                                    number(value.at("p_value")));
            lines.push_back(line.substr(0, line.find_last_not_of(' ') + 1));
        }
    };
    for (const auto& [name, set] : comparison.at("sets").items()) {
        lines.push_back(fmt::format("{}: {} rows", name, set.at("rows").get<std::int64_t>()));
        for (const auto& [metric, entry] : set.at("metrics").items()) add(metric, entry);
        if (set.at("tags").empty() || set.at("metrics").empty()) continue;
        const std::string main = set.at("metrics").contains("checks_passed") ? "checks_passed" : set.at("metrics").begin().key();
        lines.push_back(fmt::format("{}: {} by tag", name, main));
        for (const auto& [tag, entry] : set.at("tags").items())
            if (entry.at("metrics").contains(main))
                add(fmt::format("{} ({} rows)", tag, entry.at("rows").get<std::int64_t>()), entry.at("metrics").at(main));
    }
    return lines;
}

}  // namespace temper
