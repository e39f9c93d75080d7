// report.html: one self-contained page of a run: facts, curves, data report, scores, configuration. No script, no font, no image comes from
// elsewhere; everything that came from a file is escaped.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

// `metrics`: rows of metrics.jsonl. `scores`: eval/results.json, or null, in whose place `score_sections` (report_scores.h) stand where there are any.
// `nested`: the table of report_nested.h.
// Members that are missing or of another kind are left out.
std::string render_report(const Json& record, const std::vector<Json>& metrics, const Json& scores, const std::string& score_sections = "",
                          const std::string& nested = "");

// Reads run.json, metrics.jsonl, eval/results.json and eval/comparison.json with its samples, of a run's directory, all but the first where they exist, and the
// records of the runs that are nested in it, and writes report.html. `more`: further parts of the page.
void write_report(const std::filesystem::path& run_dir, const std::string& more = "");
// The same at the end of a run, whose outcome stays what it is where its page cannot be written.
void write_report_or_warn(const std::filesystem::path& run_dir);

}  // namespace temper
