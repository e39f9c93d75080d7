// The kinds of row files behind open_rows(). Internal to io/.
#pragma once
#include <memory>

#include "io/rows/row_source.h"

namespace temper {

// [ {...}, {...} ]: one object after the other is held, never the list. A .json file that does not open with "[" is read as JSONL.
std::unique_ptr<RowSource> open_json_array(const std::filesystem::path& path, const JsonLimits& limits);
// RFC 4180 with a line of names on top; every value is text.
std::unique_ptr<RowSource> open_csv(const std::filesystem::path& path, char separator, const JsonLimits& limits);
// Arrow IPC, stream or file form, one file or several of one data set.
std::unique_ptr<RowSource> open_arrow(const std::filesystem::path& path, const std::vector<std::filesystem::path>& files, const JsonLimits& limits);

}  // namespace temper
