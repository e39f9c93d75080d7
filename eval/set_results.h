// Grades of evaluation sets as files: results and samples in lm-evaluation-harness's schema, with what this has not: intervals, tags, judges; and the
// comparison of systems.
#pragma once
#include <string>
#include <vector>

#include "eval/set_grades.h"

namespace temper {

// A set and one system's answers to it.
struct GradedSet {
    const EvaluationSet* set = nullptr;
    std::vector<SetAnswer> answers;
    SetGrades grades;
    Json judges;  // what SetJudges::judge returned; null: none
};

// {"results": {set: {"name", "alias", "sample_len", "metric,none", "metric_stderr,none"}}, "intervals": {set: {metric: [low, high]}},
// "tags": {set: {tag: {"rows", "metrics": {metric: {"value", "interval", "rows"}}}}}, "judges", "group_subtasks", "configs", "versions", "n-shot",
// "higher_is_better", "n-samples", "rows": {set: {metric: of how many rows it is, where not of all}}}. Resamples are drawn on so many threads, 0: as
// many as the machine gives a rank.
Json set_results(const std::vector<GradedSet>& sets, int threads = 0);

// One a row: lm-evaluation-harness's fields, and "id", "tags", "finish_reason", "checks" {name: fault}, "judges" {name: verdict}.
std::vector<Json> set_samples(const GradedSet& graded);
std::string row_hash(const SetRow& row);  // "doc_hash" of its sample

// {"baseline", "sets": {set: {"rows", "metrics": {metric: {"higher_is_better", "systems": {name: {"value", "interval", "rows", "difference",
// "difference_interval", "p_value"}}}}, "tags": {tag: {"rows", "metrics"}}}}}; differences are to the baseline, on the rows that both have. systems[s][t]:
// of name s the t-th set.
Json compare_systems(const std::vector<std::string>& names, const std::vector<std::vector<GradedSet>>& systems, int baseline, int threads = 0);
// The comparison as lines of text: every metric over all rows, and the first one of note by tag.
std::vector<std::string> comparison_table(const Json& comparison);

}  // namespace temper
