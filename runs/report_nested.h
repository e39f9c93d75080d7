// The runs that are stages of a run, as report.html shows them: each with a link to its own page.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

struct NestedRun {
    std::string directory;  // its name, beside the run's own
    Json record;
    std::string status;  // as ListedRun's
    int depth = 0;       // 0: a stage of the run itself; 1: of such a stage
    bool has_report = false;
};

// Stages below their run, oldest first. Those of another output directory are not found; records that cannot be read are left out.
std::vector<NestedRun> nested_runs(const std::filesystem::path& run_dir);
// A table; "" without runs.
std::string nested_runs_html(const std::vector<NestedRun>& runs);

}  // namespace temper
