// Documents of a task: rows of its data files as the datasets library reads them.
#pragma once
#include <filesystem>
#include <vector>

#include "io/jsonl.h"

namespace temper {

// Rows in order. A key that some rows lack is null there; a column of CSV is numbers where every field of it is one, and an empty field null.
// missing_input, bad_data with the row's place.
std::vector<Json> load_docs(const std::vector<std::filesystem::path>& files);

}  // namespace temper
