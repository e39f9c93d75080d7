// Markdown without what is no text of the document.
#pragma once
#include <string>

#include "io/jsonl.h"

namespace temper {

// Front matter (YAML between lines of ---) goes into `metadata` where a key is not there yet; comments and definitions of links go; links and images
// become their texts. Code in fences, in backticks and indented code stay as they are.
std::string strip_markdown(const std::string& text, Json& metadata);

}  // namespace temper
