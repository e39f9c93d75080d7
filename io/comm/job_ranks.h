// What the ranks of a batch job share: what rank 0 knows, and how they end together.
#pragma once
#include <functional>

#include "io/comm/comm.h"
#include "io/jsonl.h"

namespace temper {

// Ranks wait this long for one that has more left to do: rows differ.
constexpr double job_patience_seconds = 12.0 * 3600.0;

// Rank 0's object on all ranks.
Json broadcast_json(Comm& comm, const Json& object);
// Runs a rank's part of the job; an error of one rank ends all, told by rank 0 where it has it, too.
int run_on_ranks(Comm& comm, bool json, const std::function<int()>& body);

}  // namespace temper
