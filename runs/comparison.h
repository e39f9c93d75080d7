// Two runs beside one another: which one is better on what, by how much and how certainly, and what differs between them.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include "runs/run_list.h"

namespace temper {

struct ComparisonOptions {
    std::int64_t resamples = 10000, examples = 3;
    std::uint64_t seed = 12345;
    double level = 0.05;  // below which p a difference is called certain
};

// The run in whose directory a run's scores lie: itself, else the newest finished one that evaluated its adapter, or that is a stage of it. Empty
// where there is none.
std::filesystem::path scored_run(const ListedRun& run);

// {"a", "b": {"run_id", "run_dir", "scored"}, "scores": [...], "metrics": [...], "performance": [...], "data": [...], "settings": [...],
// "kernels": [...], "environment": [...], "summary": {"a_better", "b_better", "undecided"}}. Lists hold what both have or what differs:
//   scores   {"name", "a", "b", "difference": b - a, "better": "a", "b", "" (equal) or null (unknown direction),
//             "samples", "low", "high": 95% of the difference, "p": two-sided, "certain"}; the last five only where both have the same samples and
//             the figure follows from them; else "note" says why not
//   metrics  {"name", "a", "b", "difference", "better"}
//   data     {"role", "a", "b": paths, "rows_a", "rows_b", "added", "removed", "changed", "examples", "note"}
//   others   {"name", "a", "b"}, null where one has none
Json compare_runs(const ListedRun& a, const ListedRun& b, const ComparisonOptions& options);

// The parts, which tests look at alone.
Json compare_scores(const std::filesystem::path& a, const std::filesystem::path& b, const ComparisonOptions& options);
Json compare_data(const Json& record_a, const Json& record_b, const ComparisonOptions& options);
Json compare_leaves(const Json& a, const Json& b);  // [{"name", "a", "b"}] of what differs

}  // namespace temper
