#include "retrieval/html_marks.h"

#include <algorithm>
#include <set>
#include <string>

#include "io/text.h"
#include "retrieval/markdown_fence.h"

namespace temper {
namespace {

using Names = std::set<std::string, std::less<>>;

const Names blocks = {"article", "blockquote", "br",    "center",  "dd",       "div",      "dl",      "dt",      "figure",  "footer",    "form",
                      "h1",      "h2",         "h3",    "h4",      "h5",       "h6",       "header",  "hr",      "li",      "main",      "nav",
                      "ol",      "p",          "pre",   "script",  "section",  "style",    "table",   "tbody",   "td",      "th",        "thead",
                      "tr",      "ul",         "aside", "address", "fieldset", "noscript", "caption", "details", "summary", "figcaption"};
const Names inlines = {"a",    "abbr",  "b",      "bdi",    "big",    "button",   "cite",  "code", "del",  "dfn",    "em",      "embed",
                       "font", "i",     "iframe", "img",    "ins",    "kbd",      "label", "mark", "nobr", "object", "picture", "q",
                       "s",    "samp",  "small",  "span",   "strike", "strong",   "sub",   "sup",  "svg",  "time",   "tt",      "u",
                       "var",  "video", "audio",  "select", "input",  "textarea", "meta",  "link", "title"};
const Names pages = {"html", "head", "body"};
// Tags that are complete without one that closes them.
const Names never_closed = {"br", "hr", "img", "p", "li"};
const Names entities = {"amp",    "lt",     "gt",    "quot",  "apos",   "nbsp",   "hellip", "mdash",  "ndash",  "lsquo", "rsquo",  "ldquo",
                        "rdquo",  "laquo",  "raquo", "bull",  "copy",   "reg",    "trade",  "deg",    "euro",   "pound", "aacute", "agrave",
                        "acirc",  "auml",   "Auml",  "aring", "ccedil", "eacute", "Eacute", "egrave", "ecirc",  "euml",  "iacute", "icirc",
                        "ntilde", "oacute", "ocirc", "ouml",  "Ouml",   "oslash", "szlig",  "uacute", "ugrave", "uuml",  "Uuml"};

// Whether a tag of a block stands there, which begins a line by itself.
bool is_block(std::string_view lower, std::size_t at) {
    if (lower.substr(at, 1) != "<") return false;
    const std::size_t name = at + (lower.substr(at + 1, 1) == "/" ? 2 : 1);
    const std::size_t end = std::min(lower.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789", name), lower.size());
    return blocks.count(lower.substr(std::min(name, end), end - std::min(name, end))) > 0;
}

class Marks {
  public:
    explicit Marks(std::string_view text) : text_(text), lower_(ascii_lower(text)) { count(); }

    bool are_html() const {
        if (page_) return true;
        const std::size_t html = tags_ + entities_;
        if (begins_with_tag_) return html > 0 ? html + 1 >= others_ : others_ == 0;
        return blocks_ == 0 ? html > 0 && others_ == 0 : html > others_;
    }

  private:
    void count() {
        for (std::size_t i = 0; i < text_.size() && !page_;) {
            if (i == 0 || text_[i - 1] == '\n') {
                const std::size_t end = line_end(i);
                if (count_line(text_.substr(i, end - i))) {
                    i = end + 1;
                    continue;
                }
            }
            const std::size_t from = i;
            if (text_[i] == '<') i = take_tag(i);
            else if (text_[i] == '&') i = take_entity(i);
            else if (text_[i] == '`') i = behind_code(i);
            else if (text_[i] == ']' && text_.substr(i + 1, 1) == "(") ++others_;
            if (i == from) {
                begun_ = begun_ || (text_[i] != ' ' && text_[i] != '\t' && text_[i] != '\r' && text_[i] != '\n');
                ++i;
            }
        }
    }

    std::size_t line_end(std::size_t at) const { return std::min(text_.find('\n', at), text_.size()); }

    // Marks that a line begins or ends with; true where the line is fenced code.
    bool count_line(std::string_view line) {
        const bool fenced = fence_.next(line);
        line = trimmed(line);
        if (line.empty()) return fenced;
        if (fenced) {
            begun_ = true;
            ++others_;
            return true;
        }
        const std::size_t hashes = std::min(line.find_first_not_of('#'), line.size());
        const std::size_t digits = std::min(line.find_first_not_of("0123456789"), line.size());
        const bool heading = hashes > 0 && hashes <= 6 && line.substr(hashes, 1) == " ";
        const bool item = line.size() > 1 && line[1] == ' ' && std::string_view("-*+|").find(line[0]) != std::string_view::npos;
        const bool number = digits > 0 && digits <= 3 && line.substr(digits, 2) == ". ";
        const bool code = line.back() == '{' || line.back() == '}' || (line.back() == ';' && !ends_with_entity(line));
        if (heading || item || number || code) ++others_;
        return false;
    }

    static bool ends_with_entity(std::string_view line) {
        const std::size_t begin = line.rfind('&');
        return begin != std::string_view::npos && line.size() - begin <= 12 && line.find_first_of(" \t", begin) == std::string_view::npos;
    }

    // Behind the comment, tag or script that begins at `at`; `at` where none does.
    std::size_t take_tag(std::size_t at) {
        if (text_.substr(at, 4) == "<!--") {
            const std::size_t end = comments_end_ ? text_.find("-->", at + 4) : std::string_view::npos;
            comments_end_ = end != std::string_view::npos;
            return comments_end_ ? end + 3 : at;
        }
        if (!begun_ && text_.substr(at, 5) == "<?xml") return std::min(text_.find('>', at), text_.size() - 1) + 1;
        if (!begun_ && lower_.compare(at, 14, "<!doctype html") == 0) page_ = true;
        const bool closes = text_.substr(at + 1, 1) == "/";
        const std::size_t begin = at + (closes ? 2 : 1);
        const std::size_t end = std::min(lower_.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789", begin), lower_.size());
        const std::string_view name = std::string_view(lower_).substr(begin, std::min<std::size_t>(end - begin, 16));
        if (end >= lower_.size() || std::string_view(" \t\r\n/>").find(lower_[end]) == std::string_view::npos) return at;
        if (!begun_ && !closes && pages.count(name) > 0) page_ = true;
        const bool block = blocks.count(name) > 0;
        if (!block && inlines.count(name) == 0) return at;
        if (!begun_ && !closes) begins_with_tag_ = true;
        begun_ = true;
        if (closes || never_closed.count(name) > 0) {
            ++tags_;
            blocks_ += block ? 1 : 0;
        }
        return closes ? end : behind_script(name, end);
    }

    // Behind what stands in a script or the like, whose tag's name ends at `at`; `at` for other tags.
    std::size_t behind_script(std::string_view name, std::size_t at) {
        if (name != "script" && name != "style" && name != "pre" && name != "textarea") return at;
        if (unclosed_.count(name) > 0) return at;
        const std::size_t end = lower_.find("</" + std::string(name), at);
        if (end != std::string::npos) return end;
        unclosed_.emplace(name);
        return at;
    }

    std::size_t take_entity(std::size_t at) {
        const std::size_t end = text_.substr(0, at + 12).find(';', at);
        if (end == std::string_view::npos || end < at + 3) return at;
        const std::string_view name = text_.substr(at + 1, end - at - 1);
        const bool number = name[0] == '#' && name.find_first_not_of("xX0123456789abcdefABCDEF", 1) == std::string_view::npos;
        if (!number && entities.count(name) == 0) return at;
        ++entities_;
        begun_ = true;
        return end + 1;
    }

    std::size_t behind_code(std::size_t at) const {
        const std::size_t end = text_.find_first_of("`\n", at + 1);
        return end != std::string_view::npos && text_[end] == '`' ? end + 1 : at;
    }

    std::string_view text_;
    std::string lower_;
    MarkdownFence fence_;
    Names unclosed_;
    std::size_t tags_ = 0, blocks_ = 0, entities_ = 0, others_ = 0;
    bool page_ = false, begins_with_tag_ = false, begun_ = false, comments_end_ = true;
};

}  // namespace

bool looks_like_html(std::string_view text) { return Marks(text).are_html(); }

std::string with_paragraphs(std::string_view html) {
    const std::string lower = ascii_lower(html);
    // What has blocks of its own needs none, and in code an empty line is one.
    for (const char* tag : {"<p>", "<p ", "<div", "<html", "<body", "<pre", "<script", "<style", "<textarea", "<!--"})
        if (lower.find(tag) != std::string::npos) return std::string(html);
    std::string text;
    std::size_t taken = 0;
    for (std::size_t at = html.find('\n'); at < html.size(); at = html.find('\n', at + 1)) {
        const std::size_t next = html.find_first_not_of(" \t\r\n", at);
        if (next == std::string_view::npos) break;
        const std::string_view blanks = html.substr(at, next - at);
        const bool empty_line = blanks.find('\n', 1) != std::string_view::npos;
        at = next - 1;
        if (!empty_line || is_block(lower, next)) continue;
        text.append(html.substr(taken, next - taken)).append("<p>");
        taken = next;
    }
    return text.append(html.substr(taken));
}

}  // namespace temper
