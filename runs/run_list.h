// The runs under an output directory, by their records. run_index.h answers for thousands of them.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "runs/run_record.h"

namespace temper {

struct ListedRun {
    std::filesystem::path path;
    Json record;
    // What run.json says, but "interrupted" for a running one whose owner is a dead process of this machine.
    std::string status;
};

// The status of a run whose record says `recorded`.
std::string live_status(const std::filesystem::path& run, const std::string& recorded);
ListedRun read_run(const std::filesystem::path& run);  // missing_input, bad_data

// Oldest first. missing_input without the directory; directories without a run.json are not runs, unreadable records are logged.
std::vector<ListedRun> list_runs(const std::filesystem::path& output_dir, const std::function<void(const std::string&)>& log = {});
// A run by its path, its id, or a part of the id that only one run has; otherwise missing_input that names the candidates.
ListedRun find_run(const std::filesystem::path& output_dir, const std::string& name);

}  // namespace temper
