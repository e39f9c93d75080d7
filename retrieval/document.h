// A document on its way from a source to chunks.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "io/jsonl.h"

namespace temper {

enum class TextForm : std::uint8_t { text, markdown, html, code };
std::string form_name(TextForm form);  // "text", "markdown", "html", "code"
std::optional<TextForm> form_of_name(const std::string& name);

struct Document {
    std::string id;        // unique in its category, and the same in the next run: a path, an id of the source's own, a URL
    std::string category;  // a plain name, see is_category_name
    TextForm form = TextForm::text;
    std::string text;                // as the source has it; cleaned: as it is chunked, HTML as Markdown
    Json metadata = Json::object();  // title, author, url, date, path …, and whatever else the source tells
    std::string place;               // for messages: "data/posts.jsonl:17"
    std::string source;              // the path that the configuration names
};

// Letters, digits, '-', '_' and '.', a letter or digit first, at most 64: it names files and collections of servers.
bool is_category_name(const std::string& name);

}  // namespace temper
