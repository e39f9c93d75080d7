#include "eval/python_text.h"

#include <utf8proc.h>

#include "io/unicode.h"

namespace temper {
namespace {

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

bool is_cased(char32_t c) {
    const utf8proc_category_t kind = category(c);
    return kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LL || kind == UTF8PROC_CATEGORY_LT;
}
// Marks, formats and modifiers, and the punctuation that Unicode lets stand within a word.
bool is_case_ignorable(char32_t c) {
    for (const char32_t within : {U'\'', U'.', U':', U'^', U'`', U'\u00a8', U'\u00ad', U'\u00af', U'\u00b4', U'\u00b7', U'\u00b8', U'\u2018',
                                  U'\u2019', U'\u2024', U'\u2027'})
        if (c == within) return true;
    switch (category(c)) {
        case UTF8PROC_CATEGORY_MN:
        case UTF8PROC_CATEGORY_ME:
        case UTF8PROC_CATEGORY_CF:
        case UTF8PROC_CATEGORY_LM:
        case UTF8PROC_CATEGORY_SK: return true;
        default: return false;
    }
}

// Unicode's Final_Sigma: letters before it, none behind it.
bool ends_word(std::string_view text, std::size_t at) {
    bool after_letter = false;
    for (std::size_t before = at; before > 0 && !after_letter;) {
        const char32_t c = tok::decode_character_before(text, before);
        if (is_cased(c)) after_letter = true;
        else if (!is_case_ignorable(c)) return false;
        do --before;
        while (tok::is_continuation(text[before]));
    }
    if (!after_letter) return false;
    for (std::size_t next = at + tok::character_size(text[at]); next < text.size(); next += tok::character_size(text[next])) {
        const char32_t c = tok::decode_character(text, next);
        if (is_cased(c)) return false;
        if (!is_case_ignorable(c)) return true;
    }
    return true;
}

}  // namespace

bool is_python_space(char32_t c) {
    if (c <= 0x20) return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20);
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
           c == 0x3000;
}

std::vector<std::string_view> python_split(std::string_view text) {
    std::vector<std::string_view> words;
    std::size_t begin = 0;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = tok::character_size(text[at]);
        if (is_python_space(tok::decode_character(text, at))) {
            if (at > begin) words.push_back(text.substr(begin, at - begin));
            begin = at + size;
        }
        at += size;
    }
    if (text.size() > begin) words.push_back(text.substr(begin));
    return words;
}

std::string_view python_rstrip(std::string_view text) {
    while (!text.empty() && is_python_space(tok::decode_character_before(text, text.size()))) {
        std::size_t end = text.size() - 1;
        while (tok::is_continuation(text[end])) --end;
        text = text.substr(0, end);
    }
    return text;
}

std::string_view python_strip(std::string_view text) {
    text = python_rstrip(text);
    while (!text.empty() && is_python_space(tok::decode_character(text, 0))) text.remove_prefix(tok::character_size(text[0]));
    return text;
}

std::string python_lower(std::string_view text) {
    constexpr char32_t capital_sigma = 0x3a3;
    std::string lower;
    lower.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); at += tok::character_size(text[at])) {
        const char32_t c = tok::decode_character(text, at);
        if (c == capital_sigma) lower += ends_word(text, at) ? "ς" : "σ";
        else lower += tok::to_lowercase(c);
    }
    return lower;
}

}  // namespace temper
