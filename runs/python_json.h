// JSON as Python's json module writes it, in which NaN, Infinity and -Infinity may stand for numbers.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "io/jsonl.h"

namespace temper {

// As parse_json; the three words become the texts "NaN", "Infinity" and "-Infinity".
Json parse_python_json(const std::string& text, const std::string& place);
Json read_python_json(const std::filesystem::path& path);
// The objects of a JSONL file, a line each.
void read_python_jsonl(const std::filesystem::path& path, const std::function<void(const Json& row, const std::string& place)>& take);

// A number, or one of the three texts as such; a truth is 1 or 0. None for anything else.
std::optional<double> figure_of(const Json& value);

}  // namespace temper
