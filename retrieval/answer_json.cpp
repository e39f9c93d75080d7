#include "retrieval/answer_json.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "io/jsonl.h"
#include "io/text.h"

namespace temper {
namespace {

constexpr std::string_view blanks = " \t\r\n\f\v", fence = "```";

// Of an answer that was cut while the model thought, nothing is left: what it tries on its way is no answer.
std::string_view without_thinking(std::string_view text) {
    constexpr std::string_view open = "<think>", close = "</think>";
    const bool opened = text.starts_with(open);
    if (!opened && (text.starts_with('{') || text.starts_with('[') || text.starts_with(fence))) return text;
    const std::size_t end = text.find(close);
    if (end == std::string_view::npos) return opened ? std::string_view() : text;
    if (!opened && text.find(open) < end) return text;  // of a row; a thought that a chat template has opened ends alone
    return trimmed(text.substr(end + close.size()));
}

// Behind the bracket that closes the one at `begin`, brackets in texts passed over; the end where none does.
std::size_t end_of_value(std::string_view text, std::size_t begin) {
    std::size_t depth = 0;
    bool in_text = false;
    for (std::size_t at = begin; at < text.size(); ++at) {
        const char c = text[at];
        if (in_text) {
            if (c == '\\') ++at;
            else if (c == '"') in_text = false;
        } else if (c == '"') {
            in_text = true;
        } else if (c == '{' || c == '[') {
            ++depth;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return at + 1;
        }
    }
    return text.size();
}

// An object with a member, or a list that begins with an object: not the {} and [1] of prose.
bool holds_object(std::string_view value) {
    const std::size_t next = value.find_first_not_of(blanks, 1);
    return next != std::string_view::npos && (value[0] == '{' ? value[next] != '}' : value[next] == '{');
}

// Whether nothing but the opening and the closing of a fence stands around it.
bool is_fenced(std::string_view text, std::size_t begin, std::size_t end) {
    constexpr std::size_t longest_language = 32;
    const std::size_t behind = text.find_first_not_of(blanks, end);
    if (behind != std::string_view::npos && !text.substr(behind).starts_with(fence)) return false;
    std::size_t at = begin;
    while (at > 0 && blanks.find(text[at - 1]) != std::string_view::npos) --at;
    for (std::size_t i = 0; i < longest_language && at > 0 && std::isalnum(static_cast<unsigned char>(text[at - 1])) != 0; ++i) --at;
    return text.substr(0, at).ends_with(fence);
}

}  // namespace

std::string json_in_answer(const std::string& answer) {
    const std::string_view text = without_thinking(trimmed(answer));
    const auto none = std::string_view::npos;
    std::string_view fenced, list, wrong;       // `wrong`: the longest that is no JSON, for the message
    std::size_t first = none, last_end = none;  // of the objects outside fences
    for (std::size_t begin = text.find_first_of("{["); begin != none;) {
        const std::size_t end = end_of_value(text, begin);
        const std::string_view value = text.substr(begin, end - begin);
        if (!holds_object(value)) {
            if (list.empty() && Json::accept(value)) list = value;
        } else if (is_fenced(text, begin, end)) {
            fenced = value;
        } else if (Json::accept(value)) {
            first = std::min(first, begin);
            last_end = end;
        } else if (value.size() > wrong.size()) {
            wrong = value;
        }
        begin = text.find_first_of("{[", end);
    }
    if (!fenced.empty()) return std::string(fenced);
    if (first != none) return std::string(text.substr(first, last_end - first));
    return std::string(!wrong.empty() ? wrong : !list.empty() ? list : text);
}

}  // namespace temper
