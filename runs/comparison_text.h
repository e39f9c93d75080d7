// What compare_runs() found, for people.
#pragma once
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

std::string comparison_text(const Json& comparison);
// A part of a page: tables of the scores and of what differs, and the curves of both, rows of metrics.jsonl, where there are any.
std::string comparison_html(const Json& comparison, const std::vector<Json>& metrics_a, const std::vector<Json>& metrics_b);
std::string comparison_page(const Json& comparison, const std::vector<Json>& metrics_a, const std::vector<Json>& metrics_b);  // self-contained

}  // namespace temper
