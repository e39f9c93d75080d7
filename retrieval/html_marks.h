// Whether a text that nothing names is HTML. Internal to retrieval/.
#pragma once
#include <string_view>

namespace temper {

// By what it begins with, and by what there is more of: tags and entities, or marks of Markdown and of code. Comments, scripts and what stands
// between the backticks and fences of Markdown count for neither.
bool looks_like_html(std::string_view text);

}  // namespace temper
