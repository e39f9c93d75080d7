// What the sections of report.html are made of: values as a reader sees them.
#pragma once
#include <string>

#include "io/json_text.h"

namespace temper {

// Numbers short, whole ones in groups of three; nothing as a dash.
std::string plain_text(const Json& value);
std::string duration_text(double seconds);  // "12.5 s", "3 min 07 s", "2 h 05 min"

}  // namespace temper
