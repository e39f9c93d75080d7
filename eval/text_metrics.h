// Metrics of one predicted text against its reference, and their means over a file of rows.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

// 1 when both are equal after white space at the ends is removed.
double exact_match(const std::string& prediction, const std::string& reference);
// Share of the reference object's fields that the prediction, parsed as JSON, holds with an equal value (3 equals 3.0; text exactly).
// 0 when the prediction is no JSON object. bad_data when the reference is none.
double json_fields(const std::string& prediction, const std::string& reference, const std::string& place);

// Rows {"prediction", "reference"}; metrics from {exact_match, json_fields}. Returns the means and "rows"; usage Error for an unknown name.
Json score_file(const std::filesystem::path& predictions, const std::vector<std::string>& metrics);

}  // namespace temper
