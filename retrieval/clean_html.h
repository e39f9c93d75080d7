// HTML as the web has it, read as Markdown: headings, paragraphs, lists, tables and code stay, what surrounds a page's content goes.
#pragma once
#include <string>
#include <string_view>

#include "io/jsonl.h"

namespace temper {

// `bytes` in any encoding that the page declares (byte order mark, meta), else as decode_text reads them. Scripts, styles, navigation, the
// controls of forms, footers, banners and hidden elements are left out; forms and buttons are read for what stands in them; where the page marks its main content (<main>, one <article>) only that is read. title,
// author, date, description, language and url are added to `metadata` where they are not there yet. bad_data with `place` for pages over the
// reader's limits.
std::string html_to_markdown(std::string_view bytes, Json& metadata, const std::string& place);

}  // namespace temper
