// What a gate decided, as a file: which rules, on which figures, against what. A registry moves a guarded name only on such a file.
#pragma once
#include <filesystem>
#include <string>

#include "io/jsonl.h"

namespace temper {

// One object: kind, format_version, passed, created_at, record, baseline (or null), rules, checks, and last "sha256", of all that stands
// before it. record and baseline say what was judged: source, path, sha256, run_id, model, adapter, adapter_sha256; a baseline that was named
// by an alias has registry, name, alias and version as well.
Json sealed_verdict(Json verdict);

// bad_data for what is no verdict of temper, or was changed after it was written.
Json read_verdict(const std::filesystem::path& path);

}  // namespace temper
