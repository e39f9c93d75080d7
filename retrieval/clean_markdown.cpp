#include "retrieval/clean_markdown.h"

#include <algorithm>
#include <string_view>

#include "io/text.h"
#include "io/yaml.h"
#include "kernels/error.h"
#include "retrieval/markdown_fence.h"

namespace temper {
namespace {

Json json_of(const YamlNode& node) {
    switch (node.kind) {
        case YamlNode::Kind::null: return nullptr;
        case YamlNode::Kind::scalar: return node.text;
        case YamlNode::Kind::sequence: {
            Json list = Json::array();
            for (const YamlNode& value : node.values) list.push_back(json_of(value));
            return list;
        }
        case YamlNode::Kind::map: {
            Json map = Json::object();
            for (std::size_t i = 0; i < node.keys.size(); ++i) map[node.keys[i].text] = json_of(node.values[i]);
            return map;
        }
    }
    return nullptr;
}

// The text behind the front matter. What does not parse as a map is no front matter: it stays in the text.
std::string_view take_front_matter(std::string_view text, Json& metadata) {
    if (text.substr(0, 4) != "---\n" && text.substr(0, 5) != "---\r\n") return text;
    const std::size_t first = text.find('\n') + 1;
    for (std::size_t line = first; line < text.size() && line < (std::size_t(1) << 16);) {
        const std::size_t end = std::min(text.find('\n', line), text.size());
        std::string_view content = text.substr(line, end - line);
        if (content.ends_with('\r')) content.remove_suffix(1);
        if (content == "---" || content == "...") {
            try {
                const YamlNode front = parse_yaml(std::string(text.substr(first, line - first)), "front matter");
                if (front.kind != YamlNode::Kind::map) return text;
                const Json values = json_of(front);
                for (const auto& [key, value] : values.items())
                    if (!metadata.contains(key)) metadata[key] = value;
            } catch (const Error&) {
                return text;
            }
            return text.substr(std::min(end + 1, text.size()));
        }
        line = end + 1;
    }
    return text;
}

constexpr std::size_t longest_part = 2048;  // of a link or of code within a line: longer ones are plain text, so that no input takes long
constexpr std::size_t most_nested = 8;      // brackets within a link's text or target

// "[text](target)" at `at`, which is the bracket: the text's range and the end of the target, or false. Text and target lie on one line and
// nest no further than a bracket in the text. Without a text it is the begin of a function more often than a link: it is one where it `may_be_empty`.
bool read_link(std::string_view text, std::size_t at, bool may_be_empty, std::string_view& shown, std::size_t& end) {
    text = text.substr(0, at + longest_part);
    std::size_t depth = 0, i = at;
    for (; i < text.size() && text[i] != '\n'; ++i) {
        if (text[i] == '\\') ++i;
        else if (text[i] == '[' && ++depth > most_nested) return false;
        else if (text[i] == ']' && --depth == 0) break;
    }
    if (i + 1 >= text.size() || text[i] != ']' || text[i + 1] != '(') return false;
    if (i == at + 1 && !may_be_empty) return false;
    shown = text.substr(at + 1, i - at - 1);
    depth = 0;
    for (i += 1; i < text.size() && text[i] != '\n'; ++i) {
        if (text[i] == '\\') ++i;
        else if (text[i] == '(' && ++depth > most_nested) return false;
        else if (text[i] == ')' && --depth == 0) break;
    }
    if (i >= text.size() || text[i] != ')') return false;
    end = i + 1;
    return true;
}

std::size_t run_length(std::string_view text, std::size_t at) {
    const std::size_t end = text.find_first_not_of(text[at], at);
    return (end == std::string_view::npos ? text.size() : end) - at;
}

bool starts_line(std::string_view text, std::size_t at) {
    while (at > 0 && text[at - 1] == ' ') --at;
    return at == 0 || text[at - 1] == '\n';
}

// Code from its opening backticks or tildes to the closing ones, both included; only the opening ones when nothing closes them.
std::size_t code_end(std::string_view text, std::size_t at) {
    const std::size_t marks = run_length(text, at);
    const bool fence = marks >= 3 && starts_line(text, at);
    if (!fence) text = text.substr(0, at + marks + longest_part);
    for (std::size_t next = text.find(text[at], at + marks); next != std::string_view::npos; next = text.find(text[at], next)) {
        const std::size_t found = run_length(text, next);
        if (fence ? found >= marks && starts_line(text, next) : found == marks) return next + found;
        next += found;
    }
    return fence ? text.size() : at + marks;
}

// Behind the URL of data, an image most often, that begins at `at` behind `opening`: at what closes it, or at the line's end. `at` where none begins.
std::size_t data_end(std::string_view text, std::size_t at, char opening) {
    constexpr std::size_t longest_type = 200;
    const std::size_t type_end = text.substr(0, at + longest_type).find_first_of(", \t\n", at);
    if (text.substr(at, 5) != "data:" || type_end == std::string_view::npos || text[type_end] != ',') return at;
    const char closing = opening == '(' ? ')' : opening == '<' ? '>' : opening;
    std::size_t depth = 1, i = type_end;
    for (; i < text.size() && text[i] != '\n'; ++i) {
        if (text[i] == closing && --depth == 0) break;
        if (text[i] == opening) ++depth;
    }
    return i;
}

// A line without its long URLs of data: a picture in base64 is no text.
std::string without_data(std::string_view line) {
    std::string clean;
    std::size_t taken = 0;
    for (std::size_t at = line.find("data:", 1); at < line.size(); at = line.find("data:", at + 1)) {
        const char opening = line[at - 1];
        if (opening != '(' && opening != '<' && opening != '"' && opening != '\'') continue;
        const std::size_t end = data_end(line, at, opening);
        if (end - at > longest_part) {
            clean.append(line.substr(taken, at - taken));
            taken = end;
        }
        at = std::max(at, end - 1);
    }
    return clean.append(line.substr(taken));
}

// "[name]: target", with a title or without; a footnote, "[^name]: text", is none.
bool is_link_definition(std::string_view line) {
    const std::size_t first = std::min(line.find_first_not_of(' '), line.size());
    if (first > 3 || line.substr(first, 1) != "[" || line.substr(first + 1, 1) == "^") return false;
    const std::size_t name_end = line.find(']', first + 1);
    if (name_end == std::string_view::npos || name_end == first + 1 || line.substr(name_end + 1, 1) != ":") return false;
    if (line.substr(first + 1, name_end - first - 1).find('[') != std::string_view::npos) return false;
    std::string_view target = trimmed(line.substr(name_end + 2));
    const std::size_t target_end = std::min(target.starts_with('<') ? target.find('>') : target.find_first_of(" \t"), target.size());
    const std::string_view title = trimmed(target.substr(std::min(target_end + (target.starts_with('<') ? 1 : 0), target.size())));
    target = target.substr(0, target_end);
    // Any one word may be a target; "[Note]: careful" is more likely said than linked.
    const bool leads_somewhere = target.starts_with('<') || target.find_first_of("/#") != std::string_view::npos || target.starts_with("mailto:") ||
                                 target.starts_with("data:");
    if (!leads_somewhere) return false;
    if (title.empty()) return true;
    const char closing = title[0] == '(' ? ')' : title[0];
    return title.size() >= 2 && std::string_view("\"'(").find(title[0]) != std::string_view::npos && title.back() == closing;
}

// Lines that are no code, without what is longer than the text around it and says nothing: definitions of links, and pictures written out.
std::string without_targets(std::string_view text) {
    std::string clean;
    clean.reserve(text.size());
    MarkdownFence fence;
    MarkdownIndent indent;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string_view line = text.substr(begin, end - begin);
        begin = end + 1;
        const bool code = fence.next(line.substr(0, line.find_last_not_of('\r') + 1)) || indent.next(line);
        if (!code && is_link_definition(line)) continue;
        clean += !code && line.size() > longest_part ? without_data(line) : std::string(line);
        if (end < text.size()) clean += '\n';
    }
    return clean;
}

std::string strip_inline(std::string_view text, int depth) {
    std::string clean;
    clean.reserve(text.size());
    bool comment_may_end = true;
    MarkdownIndent indent;
    for (std::size_t i = 0; i < text.size();) {
        const char c = text[i];
        if (depth == 0 && (i == 0 || text[i - 1] == '\n')) {
            const std::size_t end = std::min(text.find('\n', i), text.size());
            if (indent.next(text.substr(i, end - i))) {
                clean.append(text.substr(i, end - i));
                i = end;
                continue;
            }
        }
        if (c == '`' || (c == '~' && run_length(text, i) >= 3 && starts_line(text, i))) {
            const std::size_t end = code_end(text, i);
            clean.append(text.substr(i, end - i));
            i = end;
            continue;
        }
        if (c == '\\' && i + 1 < text.size()) {
            clean.append(text.substr(i, 2));
            i += 2;
            continue;
        }
        if (comment_may_end && c == '<' && text.substr(i, 4) == "<!--") {
            const std::size_t end = text.find("-->", i + 4);
            comment_may_end = end != std::string_view::npos;
            if (comment_may_end) {
                i = end + 3;
                continue;
            }
        }
        const bool image = c == '!' && text.substr(i, 2) == "![";
        std::string_view shown;
        std::size_t end = 0;
        if ((image || c == '[') && read_link(text, image ? i + 1 : i, image, shown, end)) {
            clean += depth < 4 ? strip_inline(shown, depth + 1) : std::string(shown);
            i = end;
            continue;
        }
        clean += c;
        ++i;
    }
    return clean;
}

}  // namespace

std::string strip_markdown(const std::string& text, Json& metadata) { return strip_inline(without_targets(take_front_matter(text, metadata)), 0); }

}  // namespace temper
