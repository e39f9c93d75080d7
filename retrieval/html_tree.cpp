#include "retrieval/html_tree.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <mutex>

#include <libxml/HTMLparser.h>
#include <libxml/SAX2.h>
#include <libxml/parserInternals.h>

#include "io/text.h"
#include "kernels/error.h"

namespace temper {
namespace {

constexpr std::size_t most_bytes = std::size_t(64) << 20;
constexpr int most_depth = 2000;                   // the parser walks its stack at each end tag that nothing opened
constexpr std::size_t most_attribute_ends = 4000;  // it compares each attribute of a tag with those before it

// Where `end`, in lower case, stands in either case from `at` on; npos without it.
std::size_t find_in_either_case(std::string_view html, std::string_view end, std::size_t at) {
    const auto found = std::search(html.begin() + static_cast<std::ptrdiff_t>(std::min(at, html.size())), html.end(), end.begin(), end.end(),
                                   [](unsigned char a, unsigned char b) { return std::tolower(a) == b; });
    return found == html.end() ? std::string_view::npos : static_cast<std::size_t>(found - html.begin());
}

// Behind the comment whose "<!--" stands at `at`; npos where nothing ends it. The parser takes "--!>" as an end, and "<!-->" as a whole comment.
std::size_t comment_end(std::string_view html, std::size_t at) {
    for (at = html.find("--", at + 2); at != std::string_view::npos; at = html.find("--", at + 1)) {
        if (html.substr(at + 2, 1) == ">") return at + 3;
        if (html.substr(at + 2, 2) == "!>") return at + 4;
    }
    return std::string_view::npos;
}

// Where the content of the script or style whose tag begins at `at` ends; `at` itself for every other tag, for one that closes itself, and for one
// that is so long that its own attributes may be what takes long.
std::size_t script_end(std::string_view html, std::size_t at) {
    for (const std::string_view name : {"script", "style"}) {
        const std::size_t behind = at + 1 + name.size();
        if (ascii_lower(html.substr(at + 1, name.size())) != name) continue;
        if (behind < html.size() && std::isalnum(static_cast<unsigned char>(html[behind])) != 0) continue;
        const std::size_t opened = html.substr(0, behind + most_attribute_ends).find('>', behind);
        if (opened == std::string_view::npos || html[opened - 1] == '/') return at;
        return std::min(find_in_either_case(html, "</" + std::string(name), opened), html.size());
    }
    return at;
}

// A tag of very many attributes would be compared for minutes: quotes and blanks bound their number from above.
bool has_endless_tag(std::string_view html) {
    std::size_t ends = 0;
    bool inside = false, comments_end = true;
    for (std::size_t i = 0; i + 1 < html.size(); ++i) {
        // What looks like a tag in a comment, a script or a style is none.
        if (!inside && comments_end && html.substr(i, 4) == "<!--") {
            const std::size_t end = comment_end(html, i);
            comments_end = end != std::string_view::npos;
            if (comments_end) i = end - 1;
            continue;
        }
        if (!inside && html[i] == '<') i = script_end(html, i);
        if (i + 1 >= html.size()) break;
        const char c = html[i];
        if (!inside) {
            inside = c == '<' && std::isalpha(static_cast<unsigned char>(html[i + 1])) != 0;
            ends = 0;
        } else if (c == '>') {
            inside = false;
        } else if (c == '"' || c == '\'' || ((c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f') && html[i + 1] != c)) {
            if (++ends > most_attribute_ends) return true;
        }
    }
    return false;
}

// The parser's own handler, which is asked only down to most_depth.
void start_element(void* context, const xmlChar* name, const xmlChar** attributes) {
    auto* parser = static_cast<htmlParserCtxtPtr>(context);
    if (parser->nameNr > most_depth || parser->nodeNr > most_depth) {
        *static_cast<bool*>(parser->_private) = true;
        xmlStopParser(parser);
        return;
    }
    xmlSAX2StartElement(context, name, attributes);
}

}  // namespace

std::shared_ptr<xmlDoc> parse_html(std::string_view utf8, const std::string& place) {
    static std::once_flag once;
    std::call_once(once, [] { xmlInitParser(); });
    if (utf8.size() > most_bytes)
        throw_error(ExitCode::bad_data, "{}: an HTML page of {} bytes, expected at most {}: leave it out", place, utf8.size(), most_bytes);
    if (has_endless_tag(utf8))
        throw_error(ExitCode::bad_data, "{}: a tag with more than {} blanks and quotes before its '>': leave the page out", place,
                    most_attribute_ends);
    const std::unique_ptr<htmlParserCtxt, decltype(&htmlFreeParserCtxt)> parser(
        htmlCreateMemoryParserCtxt(utf8.empty() ? " " : utf8.data(), utf8.empty() ? 1 : static_cast<int>(utf8.size())), &htmlFreeParserCtxt);
    if (!parser) throw_error(ExitCode::internal, "{}: no memory for the HTML parser", place);
    bool too_deep = false;
    parser->_private = &too_deep;
    parser->sax->startElement = start_element;
    htmlCtxtUseOptions(parser.get(), HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET | HTML_PARSE_IGNORE_ENC);
    parser->options |= XML_PARSE_HUGE;  // its own limit of depth is 256, which pages reach, and cuts them off there
    xmlSwitchEncoding(parser.get(), XML_CHAR_ENCODING_UTF8);
    htmlParseDocument(parser.get());
    std::shared_ptr<xmlDoc> page(parser->myDoc, [](xmlDoc* doc) {
        if (doc != nullptr) xmlFreeDoc(doc);
    });
    parser->myDoc = nullptr;
    if (too_deep) throw_error(ExitCode::bad_data, "{}: elements nested deeper than {}: leave the page out", place, most_depth);
    return page;
}

std::string_view element_name(const xmlNode* node) {
    return node->type == XML_ELEMENT_NODE && node->name != nullptr ? reinterpret_cast<const char*>(node->name) : "";
}

bool has_attribute(const xmlNode* node, const char* name) {
    return node->type == XML_ELEMENT_NODE && xmlHasProp(const_cast<xmlNode*>(node), reinterpret_cast<const xmlChar*>(name)) != nullptr;
}

std::string attribute(const xmlNode* node, const char* name) {
    if (node->type != XML_ELEMENT_NODE) return "";
    xmlChar* value = xmlGetProp(const_cast<xmlNode*>(node), reinterpret_cast<const xmlChar*>(name));
    if (value == nullptr) return "";
    std::string text(reinterpret_cast<const char*>(value));
    xmlFree(value);
    return text;
}

std::string_view text_of(const xmlNode* node) {
    if ((node->type != XML_TEXT_NODE && node->type != XML_CDATA_SECTION_NODE) || node->content == nullptr) return "";
    return reinterpret_cast<const char*>(node->content);
}

}  // namespace temper
