// Grades of one system's answers to a set: a number a row for every metric, check and judge, and values with intervals over rows.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "eval/evaluation_set.h"
#include "eval/row_statistics.h"

namespace temper {

struct SetAnswer {
    std::string prompt, text;  // what the model read, and what it said
    bool cut = false;          // at max_new_tokens
};

// A number a row, of those rows that have one: a check is for some tags only, a judge may not have answered.
struct Measure {
    std::string name;  // "rouge1", "check/<name>", "checks_passed", "judge/<name>"
    bool higher_is_better = true;
    std::shared_ptr<const TextMetric> metric;
    std::vector<std::size_t> rows;  // ascending
    RowStatistics statistics;       // one entry a row of `rows`

    std::optional<double> row_value(std::size_t row) const;
};

// What a judge said about a row.
struct Judgement {
    std::optional<double> value;
    Json verdict;        // as the judge gave it; null: none was to be had
    std::string reason;  // why not
};

struct SetGrades {
    std::vector<Measure> measures;                         // metrics, checks, checks_passed, judges
    std::vector<std::vector<HardChecks::Result>> checks;   // a row each
    std::vector<std::map<std::string, Judgement>> judges;  // a row each
    const Measure* find(const std::string& name) const;
};

// Before there is an answer: bad_data with the row's place where a metric lacks something in a row.
void check_rows(const EvaluationSet& set);
// Metrics and checks. bad_data with the row's place where a metric needs a reference that a row lacks.
SetGrades grade_answers(const EvaluationSet& set, const std::vector<SetAnswer>& answers);
// A judge's measure, from the judgements of the rows.
void add_judge_measure(SetGrades& grades, const std::string& judge, bool higher_is_better);

using KeepRow = std::function<bool(std::size_t row)>;

struct Estimate {
    double value = 0.0, error = 0.0;  // error: standard deviation of the resamples
    Interval interval;
    std::int64_t rows = 0;
};
// Over the rows that are kept; none: no estimate.
std::optional<Estimate> estimate(const Measure& measure, const KeepRow& keep, std::int64_t resamples, std::uint64_t seed, int threads = 0);

struct PairedDifference {
    double difference = 0.0, p_value = 1.0;
    Interval interval;
    std::int64_t rows = 0;
};
// Of two systems' values over the kept rows that both have: ours less theirs, its interval over the same resamples, and p by swapping rows at random
// (of metrics that look ahead by the resamples).
std::optional<PairedDifference> paired_difference(const Measure& ours, const Measure& theirs, const KeepRow& keep, std::int64_t resamples,
                                                  std::uint64_t seed, int threads = 0);

}  // namespace temper
