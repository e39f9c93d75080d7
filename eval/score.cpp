#include "eval/score.h"

#include <algorithm>

#include "eval/bootstrap.h"
#include "io/durable.h"
#include "io/row_source.h"
#include "kernels/error.h"

namespace temper {
namespace {

std::string text_of(const Json& value, const char* name, const std::string& place) {
    if (!value.is_string()) throw_error(ExitCode::bad_data, "{}: field '{}' is {}, expected a text", place, name, value.type_name());
    return value.get<std::string>();
}

TextRow text_row(const Json& row, const std::string& place) {
    if (!row.is_object() || !row.contains("prediction") || !row.contains("reference"))
        throw_error(ExitCode::bad_data, "{}: field '{}' is missing: rows are {{\"prediction\", \"reference\"}}", place,
                    row.is_object() && row.contains("prediction") ? "reference" : "prediction");
    TextRow text;
    text.prediction = text_of(row.at("prediction"), "prediction", place);
    text.place = place;
    const Json& reference = row.at("reference");
    if (!reference.is_array()) text.references.push_back(text_of(reference, "reference", place));
    else
        for (const Json& one : reference) text.references.push_back(text_of(one, "reference", place));
    if (text.references.empty()) throw_error(ExitCode::bad_data, "{}: field 'reference' is an empty list", place);
    return text;
}

// One system's rows, read once.
struct Scored {
    std::vector<RowStatistics> metrics;
    std::vector<std::vector<std::string>> references;
    std::size_t least = 0, most = 0;  // references of a row
};

Scored score_rows(const std::filesystem::path& file, const std::vector<std::unique_ptr<TextMetric>>& metrics) {
    Scored scored;
    for (const auto& metric : metrics) scored.metrics.push_back({metric.get(), {}});
    const std::unique_ptr<RowSource> source = open_rows(file);
    Json row;
    while (source->next(row)) {
        TextRow text = text_row(row, source->place());
        for (RowStatistics& statistics : scored.metrics) {
            const std::size_t at = statistics.numbers.size();
            statistics.numbers.resize(at + statistics.metric->width());
            statistics.metric->statistics(text, statistics.numbers.data() + at);
        }
        scored.least = scored.references.empty() ? text.references.size() : std::min(scored.least, text.references.size());
        scored.most = std::max(scored.most, text.references.size());
        scored.references.push_back(std::move(text.references));
    }
    if (scored.references.empty()) throw_error(ExitCode::bad_data, "{}: no rows to score", file.string());
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
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(scored.references.size()); ++i) {
        Json row = Json::object();
        for (const RowStatistics& statistics : scored.metrics) row[statistics.metric->name()] = statistics.metric->row_value(statistics.row(i));
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
        if (options.resamples > 0)
            entry["p_value"] = paired_p_value(resample(ours.metrics[i], options.resamples, options.seed),
                                              resample(theirs.metrics[i], options.resamples, options.seed), difference);
        baseline[ours.metrics[i].metric->name()] = std::move(entry);
    }
    return baseline;
}

}  // namespace

Json score_file(const std::filesystem::path& predictions, const ScoreOptions& options) {
    const std::vector<std::unique_ptr<TextMetric>> metrics = make_metrics(options.metrics, options.metric);
    const Scored scored = score_rows(predictions, metrics);
    Json result, intervals = Json::object(), signatures = Json::object();
    for (const RowStatistics& statistics : scored.metrics) {
        const std::string name = statistics.metric->name(), signature = statistics.metric->signature();
        result[name] = value_of(statistics);
        if (!signature.empty()) signatures[name] = references_signature(scored) + "|" + signature;
        if (options.resamples == 0) continue;
        const Interval interval = confidence_interval(resample(statistics, options.resamples, options.seed));
        intervals[name] = {interval.low, interval.high};
    }
    result["rows"] = scored.references.size();
    if (!intervals.empty()) result["intervals"] = intervals;
    if (!signatures.empty()) result["signatures"] = signatures;
    if (!options.baseline.empty()) {
        const Scored theirs = score_rows(options.baseline, metrics);
        check_pairs(scored, theirs, predictions, options.baseline);
        result["baseline"] = compare(scored, theirs, options);
    }
    if (!options.rows.empty()) write_rows(options.rows, scored);
    return result;
}

}  // namespace temper
