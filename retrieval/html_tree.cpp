#include "retrieval/html_tree.h"

#include <cctype>
#include <cstring>
#include <mutex>

#include <libxml/HTMLparser.h>
#include <libxml/SAX2.h>
#include <libxml/parserInternals.h>

#include "kernels/error.h"

namespace temper {
namespace {

constexpr std::size_t most_bytes = std::size_t(64) << 20;
constexpr int most_depth = 2000;                   // the parser walks its stack at each end tag that nothing opened
constexpr std::size_t most_attribute_ends = 4000;  // it compares each attribute of a tag with those before it

// A tag of very many attributes would be compared for minutes: quotes and blanks bound their number from above.
bool has_endless_tag(std::string_view html) {
    std::size_t ends = 0;
    bool inside = false;
    for (std::size_t i = 0; i + 1 < html.size(); ++i) {
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
