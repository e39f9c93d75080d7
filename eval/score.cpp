#include "eval/score.h"

#include <algorithm>
#include <map>
#include <optional>

#include "eval/hard_checks.h"
#include "eval/row_statistics.h"
#include "io/durable.h"
#include "io/rows/row_source.h"
#include "kernels/error.h"

namespace temper {
namespace {

std::string text_of(const Json& value, const char* name, const std::string& place) {
    if (!value.is_string()) throw_error(ExitCode::bad_data, "{}: field '{}' is {}, expected a text", place, name, value.type_name());
    return value.get<std::string>();
}

std::vector<std::string> references_of(const Json& row, const std::string& place) {
    if (!row.contains("reference"))
        throw_error(ExitCode::bad_data, "{}: field 'reference' is missing: rows are {{\"prediction\", \"reference\"}}", place);
    const Json& reference = row.at("reference");
    std::vector<std::string> references;
    for (const Json& one : reference.is_array() ? reference : Json::array({reference})) references.push_back(text_of(one, "reference", place));
    if (references.empty()) throw_error(ExitCode::bad_data, "{}: field 'reference' is an empty list", place);
    return references;
}

// What two systems' rows must have in common where they are rankings.
std::string relevant_text(const Json& row) { return row.contains("relevant") ? row["relevant"].dump() : std::string(); }

bool has_tags(const Json& row, const std::vector<std::string>& tags) {
    const Json own = row.contains("tags") ? row["tags"] : Json::array();
    return std::all_of(tags.begin(), tags.end(), [&](const std::string& tag) {
        return own.is_array() ? std::find(own.begin(), own.end(), Json(tag)) != own.end() : own == tag;
    });
}

// What the checks found, over all rows.
struct Checked {
    std::vector<std::string> names;
    std::map<std::string, std::int64_t> passed, failed;
    std::int64_t rows_checked = 0, rows_passed = 0;  // checked: that a check is for
    Json failures = Json::array(), rows = Json::array();

    void add(const HardChecks& checks, const std::string& prediction, const Json& row, std::int64_t number, const std::string& place) {
        Json faults = Json::object();
        bool good = true;
        for (const HardChecks::Result& result : checks.run(prediction, row, place)) {
            const bool fits = result.fault.empty();
            ++(fits ? passed : failed)[result.check];
            good &= fits;
            faults[result.check] = result.fault;
            if (!fits)
                failures.push_back(Json{{"id", row.contains("id") ? row["id"] : Json(number)}, {"check", result.check}, {"fault", result.fault}});
        }
        rows_checked += !faults.empty();
        rows_passed += !faults.empty() && good;
        rows.push_back(std::move(faults));
    }
};

// One system's rows, read once.
struct Scored {
    std::vector<RowStatistics> metrics;
    std::vector<std::vector<std::string>> references;
    std::size_t least = 0, most = 0;  // references of a row
    std::int64_t rows = 0;
    Checked checked;
};

using Metrics = std::vector<std::unique_ptr<TextMetric>>;

bool any_of_texts(const Metrics& metrics) {
    return std::any_of(metrics.begin(), metrics.end(), [](const auto& metric) { return metric->of_texts(); });
}

// A row of a file as metrics read it; without references where none of them compares.
TextRow text_row(const Json& row, const std::string& place, const std::string& prediction, const Metrics& metrics) {
    const bool compared = std::any_of(metrics.begin(), metrics.end(), [](const auto& metric) { return metric->compares(); });
    return {prediction, compared ? references_of(row, place) : std::vector<std::string>{relevant_text(row)}, place, &row};
}

std::string prediction_of(const Json& row, const std::string& place) {
    if (!row.is_object() || !row.contains("prediction"))
        throw_error(ExitCode::bad_data, "{}: field 'prediction' is missing: rows are {{\"prediction\", \"reference\"}}", place);
    return text_of(row.at("prediction"), "prediction", place);
}

// Metrics that look ahead are shown the rows of these files.
void show_rows(const std::vector<std::filesystem::path>& files, const Metrics& metrics, const std::vector<std::string>& tags) {
    if (std::none_of(metrics.begin(), metrics.end(), [](const auto& metric) { return metric->looks_ahead(); })) return;
    for (const std::filesystem::path& file : files) {
        const std::unique_ptr<RowSource> source = open_rows(file);
        Json row;
        while (source->next(row)) {
            const std::string place = source->place(), prediction = prediction_of(row, place);
            if (!has_tags(row, tags)) continue;
            const TextRow text = text_row(row, place, prediction, metrics);
            for (const auto& metric : metrics) metric->see(text);
        }
    }
    for (const auto& metric : metrics) metric->prepare();
}

Scored score_rows(const std::filesystem::path& file, const Metrics& metrics, const std::vector<std::string>& tags, const HardChecks* checks) {
    Scored scored;
    for (const auto& metric : metrics) scored.metrics.push_back({metric.get(), {}});
    if (checks != nullptr) scored.checked.names = checks->names();
    const std::unique_ptr<RowSource> source = open_rows(file);
    Json row;
    while (source->next(row)) {
        const std::string place = source->place();
        const std::string prediction = checks != nullptr || any_of_texts(metrics) ? prediction_of(row, place) : std::string();
        if (!row.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object, found {}", place, row.type_name());
        if (!has_tags(row, tags)) continue;
        ++scored.rows;
        if (checks != nullptr) scored.checked.add(*checks, prediction, row, scored.rows, place);
        if (metrics.empty()) continue;
        TextRow text = text_row(row, place, prediction, metrics);
        for (RowStatistics& statistics : scored.metrics) {
            const std::size_t at = statistics.numbers.size();
            statistics.numbers.resize(at + statistics.metric->width());
            statistics.metric->statistics(text, statistics.numbers.data() + at);
        }
        scored.least = scored.references.empty() ? text.references.size() : std::min(scored.least, text.references.size());
        scored.most = std::max(scored.most, text.references.size());
        scored.references.push_back(std::move(text.references));
    }
    if (scored.rows == 0) throw_error(ExitCode::bad_data, "{}: no rows to score{}", file.string(), tags.empty() ? "" : " with these tags");
    return scored;
}

void check_pairs(const Scored& ours, const Scored& theirs, const std::filesystem::path& file, const std::filesystem::path& baseline) {
    if (ours.references.size() != theirs.references.size())
        throw_error(ExitCode::bad_data, "{}: {} rows, expected {} as in {}: systems are compared on the same rows", baseline.string(),
                    theirs.references.size(), ours.references.size(), file.string());
    for (std::size_t i = 0; i < ours.references.size(); ++i)
        if (ours.references[i] != theirs.references[i])
            throw_error(ExitCode::bad_data, "{}: row {} has another reference than row {} of {}: systems are compared on the same rows",
                        baseline.string(), i + 1, i + 1, file.string());
}

void write_rows(const std::filesystem::path& file, const Scored& scored) {
    std::string text;
    for (std::int64_t i = 0; i < scored.rows; ++i) {
        Json row = Json::object();
        for (const RowStatistics& statistics : scored.metrics) row[statistics.metric->name()] = statistics.metric->row_value(statistics.row(i));
        if (!scored.checked.rows.empty()) row["checks"] = scored.checked.rows[static_cast<std::size_t>(i)];
        text += row.dump() + "\n";
    }
    write_durable(file, text);
}

std::string references_signature(const Scored& scored) {
    return "nrefs:" + (scored.least == scored.most ? std::to_string(scored.most) : std::string("var"));
}

Json compare(const Scored& ours, const Scored& theirs, const ScoreOptions& options) {
    Json baseline = Json::object();
    for (std::size_t i = 0; i < ours.metrics.size(); ++i) {
        const double value = value_of(theirs.metrics[i]), difference = value_of(ours.metrics[i]) - value;
        Json entry{{"value", value}, {"difference", difference}};
        if (options.resamples > 0) {
            const std::vector<double> our_values = resample(ours.metrics[i], options.resamples, options.seed),
                                      their_values = resample(theirs.metrics[i], options.resamples, options.seed);
            const Interval interval = difference_interval(our_values, their_values);
            entry["interval"] = {interval.low, interval.high};
            entry["p_value"] = paired_p_value(our_values, their_values, difference);
        }
        baseline[ours.metrics[i].metric->name()] = std::move(entry);
    }
    return baseline;
}

void add_checks(Json& result, const Checked& checked) {
    Json counts = Json::object();
    for (const std::string& name : checked.names) {
        const auto count = [&](const std::map<std::string, std::int64_t>& of) { return of.contains(name) ? of.at(name) : std::int64_t{0}; };
        counts[name] = Json{{"passed", count(checked.passed)}, {"failed", count(checked.failed)}};
    }
    result["checks"] = counts;
    result["rows_checked"] = checked.rows_checked;
    result["rows_passed"] = checked.rows_passed;
    result["failures"] = checked.failures;
}

}  // namespace

void check_score_options(const ScoreOptions& options) {
    const Metrics metrics = make_metrics(options.metrics, options.metric);
    if (metrics.empty() && options.checks.empty()) throw_error(ExitCode::usage, "score: give --metrics, --checks or both");
    if (!options.checks.empty()) HardChecks{options.checks};
}

Json score_file(const std::filesystem::path& predictions, const ScoreOptions& options) {
    check_score_options(options);
    const Metrics metrics = make_metrics(options.metrics, options.metric);
    std::optional<HardChecks> checks;
    if (!options.checks.empty()) checks.emplace(options.checks);
    std::vector<std::filesystem::path> systems{predictions};
    if (!options.baseline.empty()) systems.push_back(options.baseline);
    show_rows(systems, metrics, options.tags);
    const Scored scored = score_rows(predictions, metrics, options.tags, checks ? &*checks : nullptr);
    Json result, intervals = Json::object(), signatures = Json::object();
    for (const RowStatistics& statistics : scored.metrics) {
        const std::string name = statistics.metric->name(), signature = statistics.metric->signature();
        result[name] = value_of(statistics);
        if (!signature.empty()) signatures[name] = references_signature(scored) + "|" + signature;
        if (options.resamples == 0) continue;
        const Interval interval = confidence_interval(resample(statistics, options.resamples, options.seed));
        intervals[name] = {interval.low, interval.high};
    }
    result["rows"] = scored.rows;
    if (checks) add_checks(result, scored.checked);
    if (!intervals.empty()) result["intervals"] = intervals;
    if (!signatures.empty()) result["signatures"] = signatures;
    if (!options.baseline.empty()) {
        const Scored theirs = score_rows(options.baseline, metrics, options.tags, nullptr);
        check_pairs(scored, theirs, predictions, options.baseline);
        result["baseline"] = compare(scored, theirs, options);
    }
    if (!options.rows.empty()) write_rows(options.rows, scored);
    return result;
}

}  // namespace temper
