#include <algorithm>
#include <array>
#include <set>

#include "eval/hard_checks.h"
#include "eval/python_text.h"
#include "io/unicode.h"

namespace temper {
namespace {

bool ends_sentence(char32_t c) {
    constexpr std::array<char32_t, 16> marks{U'.', U'!', U'?', U'…', U'‼', U'⁇', U'⁈', U'⁉', U'。', U'！', U'？', U'｡', U'।', U'؟', U'۔', U'።'};
    return std::find(marks.begin(), marks.end(), c) != marks.end();
}
// These need no white space behind them.
bool stands_alone(char32_t c) { return c == U'。' || c == U'！' || c == U'？' || c == U'｡'; }
bool closes(char32_t c) {
    constexpr std::array<char32_t, 11> marks{U'"', U'\'', U')', U']', U'}', U'”', U'’', U'»', U'」', U'』', U'）'};
    return std::find(marks.begin(), marks.end(), c) != marks.end();
}

// The word in front of a full stop is one that is written with it.
bool is_abbreviation(std::string_view text, std::size_t stop) {
    static const std::set<std::string, std::less<>> known{"mr",   "mrs",  "ms",     "dr",  "prof", "sr",  "jr",  "st",  "vs",  "etc",
                                                          "eg",   "ie",   "cf",     "al",  "no",   "fig", "eq",  "vol", "inc", "ltd",
                                                          "co",   "dept", "approx", "jan", "feb",  "mar", "apr", "jun", "jul", "aug",
                                                          "sept", "sep",  "oct",    "nov", "dec",  "bzw", "usw", "ca",  "nr"};
    std::size_t begin = stop;
    while (begin > 0 && !is_python_space(tok::decode_character_before(text, begin)) && text[begin - 1] != '(') --begin;
    std::string word;
    for (const char c : text.substr(begin, stop - begin))
        if (c != '.') word += c;
    const bool dotted = text.substr(begin, stop - begin).find('.') != std::string_view::npos;
    const bool initial = word.size() == 1 && std::isupper(static_cast<unsigned char>(word[0]));
    return initial ||
           (dotted && word.size() <= 4 &&
            std::all_of(word.begin(), word.end(), [](char c) { return std::isalpha(static_cast<unsigned char>(c)); })) ||
           known.contains(python_lower(word));
}

}  // namespace

std::vector<std::string> split_sentences(const std::string& text) {
    std::vector<std::string> sentences;
    std::size_t begin = 0;
    const auto finish = [&](std::size_t end) {
        const std::string_view sentence = python_strip(std::string_view(text).substr(begin, end - begin));
        if (!sentence.empty()) sentences.emplace_back(sentence);
        begin = end;
    };
    for (std::size_t at = 0; at < text.size();) {
        const char32_t c = tok::decode_character(text, at);
        const std::size_t mark = at;
        at += tok::character_size(text[at]);
        // A blank line ends a sentence without a mark: a heading, an item of a list.
        if (c == U'\n' && at < text.size() && text[at] == '\n') finish(at);
        if (!ends_sentence(c)) continue;
        bool alone = stands_alone(c);
        while (at < text.size() && (ends_sentence(tok::decode_character(text, at)) || closes(tok::decode_character(text, at)))) {
            alone |= stands_alone(tok::decode_character(text, at));
            at += tok::character_size(text[at]);
        }
        const bool at_end = at == text.size() || is_python_space(tok::decode_character(text, at));
        if (!alone && !at_end) continue;
        if (c == U'.' && at == mark + 1 && at != text.size() && is_abbreviation(text, mark)) continue;
        finish(at);
    }
    finish(text.size());
    return sentences;
}

}  // namespace temper
