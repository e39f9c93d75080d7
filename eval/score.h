// temper score: a file of predictions against their references.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "eval/text_metric.h"
#include "io/jsonl.h"

namespace temper {

struct ScoreOptions {
    std::vector<std::string> metrics;  // none: rows need no reference
    std::filesystem::path checks;      // hard checks (hard_checks.h); empty: none
    std::vector<std::string> tags;     // only rows that have all of these
    MetricOptions metric;
    std::int64_t resamples = 1000;  // for intervals and p; 0: none
    std::uint64_t seed = 12345;
    std::filesystem::path baseline;  // another system's predictions for the same rows
    std::filesystem::path rows;      // where every row's values go, as JSONL
};

// What can be said before a row is read: usage of metrics that are not known, of none, and of checks that are wrong.
void check_score_options(const ScoreOptions& options);
// Rows {"prediction", "reference", "id", "tags"}, the reference a text or a list of texts. Returns each metric's value over all rows by its name, "rows",
// "intervals" {metric: [low, high]} at 95%, "signatures" of those metrics that have one, with a baseline
// "baseline" {metric: {"value", "difference", "interval", "p_value"}}, and with checks "checks" {name: {"passed", "failed"}},
// "rows_checked" that a check is for, "rows_passed" of these and "failures", a list of {"id", "check", "fault"}. usage, missing_input, bad_data with the row's place; io_error.
Json score_file(const std::filesystem::path& predictions, const ScoreOptions& options);

}  // namespace temper
