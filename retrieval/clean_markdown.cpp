#include "retrieval/clean_markdown.h"

#include <string_view>

#include "io/yaml.h"
#include "kernels/error.h"

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
// nest no further than a bracket in the text.
bool read_link(std::string_view text, std::size_t at, std::string_view& shown, std::size_t& end) {
    text = text.substr(0, at + longest_part);
    std::size_t depth = 0, i = at;
    for (; i < text.size() && text[i] != '\n'; ++i) {
        if (text[i] == '\\') ++i;
        else if (text[i] == '[' && ++depth > most_nested) return false;
        else if (text[i] == ']' && --depth == 0) break;
    }
    if (i + 1 >= text.size() || text[i] != ']' || text[i + 1] != '(') return false;
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

std::string strip_inline(std::string_view text, int depth) {
    std::string clean;
    clean.reserve(text.size());
    bool comment_may_end = true;
    for (std::size_t i = 0; i < text.size();) {
        const char c = text[i];
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
        if ((image || c == '[') && read_link(text, image ? i + 1 : i, shown, end)) {
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

std::string strip_markdown(const std::string& text, Json& metadata) { return strip_inline(take_front_matter(text, metadata), 0); }

}  // namespace temper
