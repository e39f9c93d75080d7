// JSON as text, and members that may be missing. What is no UTF-8 in it (a path, an error's words) becomes replacement characters and does not stop the writer.
#pragma once
#include <string>

#include "io/jsonl.h"

namespace temper {

// On one line, or with so many spaces a level.
std::string json_text(const Json& value, int indent = -1);
// A text as it is, anything else as JSON.
std::string text_or_json(const Json& value);
// A member of an object; null where it is missing, or `json` is no object.
const Json& member(const Json& json, const std::string& name);
// A member that is a text; empty where it is anything else.
std::string member_text(const Json& json, const std::string& name);

}  // namespace temper
