// Texts of rows that may be HTML. Internal to retrieval/.
#pragma once
#include <string>
#include <string_view>

namespace temper {

// By what it begins with, and by what there is more of: tags and entities, or marks of Markdown and of code. Comments, scripts and what stands
// between the backticks and fences of Markdown count for neither.
bool looks_like_html(std::string_view text);

// Posts of a blog are HTML whose paragraphs are apart by empty lines alone: each then begins with a <p>. Any other HTML stays as it is.
std::string with_paragraphs(std::string_view html);

}  // namespace temper
