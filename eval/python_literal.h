// Values as Python writes them: what ast.literal_eval reads.
#pragma once
#include <optional>
#include <string_view>

#include "io/jsonl.h"

namespace temper {

// Texts (also of several pieces side by side), numbers, True, False, None, lists, tuples (as arrays) and dicts with text keys (as objects); nothing
// where the text is anything else.
std::optional<Json> parse_python_literal(std::string_view text);

}  // namespace temper
