// The evaluation's part of report.html: scores with intervals, by tag, the worst rows, and answers side by side.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

// Samples by system and set.
using ReportSamples = std::map<std::string, std::map<std::string, std::vector<Json>>>;

// `comparison`: eval/comparison.json. Members that are missing or of another kind are left out; everything is escaped.
std::string render_scores(const Json& comparison, const ReportSamples& samples);
// Of a run's eval/ directory: the first rows of each file of samples. Empty where it holds no comparison.
std::string scores_of(const std::filesystem::path& eval);

}  // namespace temper
