// report.html: one self-contained page of a run: facts, curves, data report, scores, configuration. No script, no font, no image comes from
// elsewhere; everything that came from a file is escaped.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

// `metrics`: rows of metrics.jsonl. `scores`: eval/results.json, or null. Members that are missing or of another kind are left out.
std::string render_report(const Json& record, const std::vector<Json>& metrics, const Json& scores);

// Reads run.json, metrics.jsonl and eval/results.json of a run's directory, the last two where they exist, and writes report.html.
// `more`: further parts of the page.
void write_report(const std::filesystem::path& run_dir, const std::string& more = "");

}  // namespace temper
