// Which rows of a data file another one has not, whatever their order.
#pragma once
#include <filesystem>

#include "io/jsonl.h"

namespace temper {

// {"added", "removed", "changed", "examples": [{"what", "a", "b"}]}: rows of b that a has not, of a that b has not, and pairs of such rows with the
// same id, doc_id, prompt, question, query or first messages; so many examples of each, shortened. A row that stands twice counts twice.
Json data_difference(const std::filesystem::path& a, const std::filesystem::path& b, std::int64_t examples);

}  // namespace temper
