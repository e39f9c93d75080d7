// Records as runs leave them, for tests of lists, queries and comparisons.
#pragma once
#include <filesystem>
#include <string>

#include "runs/run_directory.h"
#include "runs/run_record.h"

namespace temper {

// A finished run under `folder` with these members put over an empty record ({"metrics": {...}, "tags": {...}}); its directory.
inline std::filesystem::path make_record(const std::filesystem::path& folder, const std::string& name, const Json& members) {
    const RunDirectory run = RunDirectory::create(folder, name, "h");
    RunRecord record = RunRecord::open(run.record());
    for (const auto& [member, value] : members.items()) record.fields()[member] = value;
    record.set_status(RunStatus::finished);
    record.save();
    return run.path();
}

}  // namespace temper
