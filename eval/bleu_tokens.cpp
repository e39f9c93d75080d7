#include "eval/bleu_tokens.h"

#include <utf8proc.h>

#include "eval/python_text.h"
#include "io/unicode.h"
#include "kernels/error.h"

namespace temper {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_mark(char c) { return c == '.' || c == ','; }
// ASCII but letters, digits, period, comma, dash and apostrophe.
bool is_symbol(char c) {
    return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
    return text;
}

// Two characters side by side that fit, from the left and without overlap, become `before` the first, `between` both, `behind` the second. Bytes do for
// characters: what the tests ask for is ASCII, and the bytes of other characters fit "anything else" as these do.
template <class First, class Second>
std::string split_pairs(const std::string& text, const First& first, const Second& second, std::string_view before, std::string_view behind) {
    std::string out;
    out.reserve(text.size() + text.size() / 4);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (i + 1 < text.size() && first(text[i]) && second(text[i + 1])) {
            out += before;
            out += text[i];
            out += ' ';
            out += text[++i];
            out += behind;
        } else {
            out += text[i];
        }
    }
    return out;
}

std::string split_13a(std::string_view line) {
    std::string text = replace_all(std::string(line), "<skipped>", "");
    text = replace_all(replace_all(text, "-\n", ""), "\n", " ");
    text = replace_all(replace_all(text, "&quot;", "\""), "&amp;", "&");
    text = " " + replace_all(replace_all(text, "&lt;", "<"), "&gt;", ">") + " ";
    std::string spaced;
    for (const char c : text)
        if (is_symbol(c)) spaced.append({' ', c, ' '});
        else spaced += c;
    const auto not_digit = [](char c) { return !is_digit(c); };
    spaced = split_pairs(spaced, not_digit, is_mark, "", " ");
    spaced = split_pairs(spaced, is_mark, not_digit, " ", "");
    return split_pairs(
        spaced, is_digit, [](char c) { return c == '-'; }, "", " ");
}

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }
bool is_number(char32_t c) {
    const utf8proc_category_t kind = category(c);
    return kind == UTF8PROC_CATEGORY_ND || kind == UTF8PROC_CATEGORY_NL || kind == UTF8PROC_CATEGORY_NO;
}
bool is_punctuation(char32_t c) {
    const utf8proc_category_t kind = category(c);
    return kind >= UTF8PROC_CATEGORY_PC && kind <= UTF8PROC_CATEGORY_PO;
}
bool is_unicode_symbol(char32_t c) {
    const utf8proc_category_t kind = category(c);
    return kind >= UTF8PROC_CATEGORY_SM && kind <= UTF8PROC_CATEGORY_SO;
}

std::u32string characters(std::string_view text) {
    std::u32string all;
    for (std::size_t at = 0; at < text.size(); at += tok::character_size(text[at])) all += tok::decode_character(text, at);
    return all;
}

template <class First, class Second>
std::u32string split_characters(const std::u32string& text, const First& first, const Second& second, bool before) {
    std::u32string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (i + 1 < text.size() && first(text[i]) && second(text[i + 1])) {
            if (before) out += U' ';
            out += text[i];
            out += U' ';
            out += text[++i];
            if (!before) out += U' ';
        } else {
            out += text[i];
        }
    }
    return out;
}

std::string split_intl(std::string_view line) {
    const auto not_number = [](char32_t c) { return !is_number(c); };
    std::u32string text = split_characters(characters(line), not_number, is_punctuation, false);
    text = split_characters(text, is_punctuation, not_number, true);
    std::string out;
    for (const char32_t c : text)
        if (is_unicode_symbol(c)) out += " " + tok::to_utf8(c) + " ";
        else tok::append_utf8(out, c);
    return out;
}

std::string split_every_character(std::string_view line) {
    std::string out;
    for (const char32_t c : characters(line)) {
        tok::append_utf8(out, c);
        out += ' ';
    }
    return out;
}

}  // namespace

void check_bleu_tokenizer(const std::string& name) {
    if (name != "13a" && name != "intl" && name != "char" && name != "none")
        throw_error(ExitCode::usage, "unknown BLEU tokenizer '{}': known are 13a, intl, char, none", name);
}

std::vector<std::string> bleu_tokens(std::string_view line, const std::string& tokenizer) {
    const std::string spaced = tokenizer == "13a"    ? split_13a(line)
                               : tokenizer == "intl" ? split_intl(line)
                               : tokenizer == "char" ? split_every_character(line)
                                                     : std::string(line);
    std::vector<std::string> tokens;
    for (const std::string_view token : python_split(spaced)) tokens.emplace_back(token);
    return tokens;
}

}  // namespace temper
