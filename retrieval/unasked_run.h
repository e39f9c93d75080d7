// Runs that ended because max_cost was reached. They are finished, and what they made stands; where more may be spent now, the same run goes on, so that
// its journal of answers is kept and nothing is asked twice.
#pragma once
#include <filesystem>
#include <functional>
#include <string>

#include "io/jsonl.h"

namespace temper {

// `cost` is what was spent so far.
inline bool may_ask(double max_cost, double cost) { return max_cost == 0 || cost < max_cost; }

// Makes the newest run of this name and identity one that goes on with --resume auto, where it is finished and `goes_on` says so of its directory and
// record. run_locked where another process has it.
void reopen_unasked_run(const std::filesystem::path& output_dir, const std::string& run_name, const std::string& identity,
                        const std::function<bool(const std::filesystem::path& run, const Json& record)>& goes_on);

}  // namespace temper
