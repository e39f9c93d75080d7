// Markdown without what is no text of the document.
#pragma once
#include <string>

#include "io/jsonl.h"

namespace temper {

// Front matter (YAML between lines of ---) goes into `metadata` where a key is not there yet; comments go; links and images become their texts.
// Code in fences and in backticks stays as it is.
std::string strip_markdown(const std::string& text, Json& metadata);

}  // namespace temper
