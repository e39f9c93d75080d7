#include "retrieval/boundaries.h"

#include <algorithm>
#include <array>

#include "io/unicode.h"
#include "retrieval/markdown_fence.h"

namespace temper {
namespace {

bool is_blank(std::string_view text, std::size_t at) { return text[at] == ' ' || text[at] == '\n' || text[at] == '\t'; }

// Scripts that put no space between words: a cut may fall between any two of their characters.
bool is_unspaced(char32_t c) {
    return (c >= 0x0e00 && c < 0x1000) || (c >= 0x1000 && c < 0x10a0) || (c >= 0x1780 && c < 0x1800) || (c >= 0x2e80 && c < 0xa4d0) ||
           (c >= 0xf900 && c < 0xfb00) || (c >= 0xff00 && c < 0xffe0) || (c >= 0x20000 && c < 0x40000);
}
bool ends_sentence(char32_t c) { return c == '.' || c == '!' || c == '?' || c == 0x2026 || c == 0x061f || c == 0x0964 || c == 0x06d4; }
bool ends_unspaced_sentence(char32_t c) { return c == 0x3002 || c == 0xff01 || c == 0xff1f || c == 0xff0e || c == 0xff61; }
bool closes(char32_t c) {
    return c == '"' || c == '\'' || c == ')' || c == ']' || c == 0x2019 || c == 0x201d || c == 0xbb || c == 0x300d || c == 0x300f;
}
bool is_capital(char32_t c) { return tok::to_lowercase(c) != tok::to_utf8(c); }

// The point of "Dr. Smith", "J. Smith" and "e.g. this" ends no sentence.
bool is_abbreviation(std::string_view text, std::size_t point) {
    constexpr std::array<std::string_view, 22> known = {"dr",  "mr", "mrs", "ms", "prof", "st",     "no",   "vs",  "cf",  "fig", "eq",
                                                        "sec", "ch", "vol", "pp", "al",   "approx", "dept", "e.g", "i.e", "ca",  "nr"};
    std::size_t begin = point;
    while (begin > 0 && point - begin < 8 && !is_blank(text, begin - 1) && text[begin - 1] != '(') --begin;
    std::string word(text.substr(begin, point - begin));
    const bool initial = word.size() == 1 && word[0] >= 'A' && word[0] <= 'Z';
    for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return initial || std::find(known.begin(), known.end(), word) != known.end();
}

// What a place behind white space is, where `blanks_from` is the first blank before it. Called at the first character of a word.
Cut cut_between(std::string_view text, std::size_t blanks_from, std::size_t place) {
    const std::string_view blanks = text.substr(blanks_from, place - blanks_from);
    if (std::count(blanks.begin(), blanks.end(), '\n') > 1) return Cut::paragraph;
    std::size_t end = blanks_from;  // of the word before, without what closes a quotation
    char32_t last = 0;
    while (end > 0) {
        last = tok::decode_character_before(text, end);
        if (!closes(last)) break;
        end -= tok::to_utf8(last).size();
    }
    if (end == 0 || !ends_sentence(last)) return Cut::word;
    if (last == '.' && is_abbreviation(text, end - 1)) return Cut::word;
    // A lower-case letter goes on with the sentence.
    const char32_t next = tok::decode_character(text, place);
    const bool letter = tok::is_word(next) && !tok::is_numeric(next);
    return letter && !is_capital(next) && !is_unspaced(next) && next < 0x250 ? Cut::word : Cut::sentence;
}

std::vector<Boundary> prose_boundaries(std::string_view text) {
    std::vector<Boundary> cuts;
    std::size_t blanks_from = 0;
    bool blank = false;
    char32_t before = 0;
    for (std::size_t at = 0; at < text.size();) {
        if (is_blank(text, at)) {
            if (!blank) blanks_from = at;
            blank = true;
            ++at;
            continue;
        }
        const char32_t c = tok::decode_character(text, at);
        if (blank && blanks_from > 0) {
            cuts.push_back({at, ends_unspaced_sentence(before) ? std::max(Cut::sentence, cut_between(text, blanks_from, at))
                                                               : cut_between(text, blanks_from, at)});
        } else if (at > 0 && !blank && (is_unspaced(c) || is_unspaced(before)) && !ends_unspaced_sentence(c) && !closes(c) && tok::is_word(c)) {
            cuts.push_back({at, ends_unspaced_sentence(before) ? Cut::sentence : Cut::word});
        }
        blank = false;
        before = c;
        at += tok::character_size(text[at]);
    }
    return cuts;
}

// Lines of code between fences begin sentences: a statement is cut as little as may be. Headings begin sections.
void raise(std::vector<Boundary>& cuts, std::string_view text) {
    const std::vector<Heading> headings = find_headings(text);
    std::size_t next_cut = 0;
    const auto at_least = [&](std::size_t place, Cut cut) {
        while (next_cut < cuts.size() && cuts[next_cut].place < place) ++next_cut;
        if (next_cut < cuts.size() && cuts[next_cut].place == place) cuts[next_cut].cut = std::max(cuts[next_cut].cut, cut);
    };
    for (const Heading& heading : headings) at_least(heading.place + (text.substr(heading.place).find_first_not_of(' ')), Cut::section);
    next_cut = 0;
    MarkdownFence fence;
    bool inside = false;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string_view line = text.substr(begin, end - begin);
        const bool now = fence.next(line);
        const std::size_t first = line.find_first_not_of(" \t");
        const bool item =
            first != std::string_view::npos && line.size() > first + 1 && (line[first] == '-' || line[first] == '*') && line[first + 1] == ' ';
        if (first != std::string_view::npos && begin > 0 && ((inside && now) || item)) at_least(begin + first, Cut::sentence);
        inside = now;
        begin = end + 1;
    }
}

std::vector<Boundary> code_boundaries(std::string_view text) {
    std::vector<Boundary> cuts;
    bool blank_before = false;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string_view line = text.substr(begin, end - begin);
        const std::size_t first = line.find_first_not_of(" \t");
        if (first != std::string_view::npos) {
            // A closing bracket belongs to the block above it.
            const bool opens = line[first] != '}' && line[first] != ')' && line[first] != ']';
            if (begin > 0) cuts.push_back({begin, !blank_before ? Cut::sentence : first == 0 && opens ? Cut::section : Cut::paragraph});
            for (std::size_t at = first + 1; at < line.size(); ++at)
                if (is_blank(line, at - 1) && !is_blank(line, at)) cuts.push_back({begin + at, Cut::word});
        }
        blank_before = first == std::string_view::npos;
        begin = end + 1;
    }
    return cuts;
}

}  // namespace

std::vector<Boundary> find_boundaries(std::string_view text, TextForm form) {
    if (form == TextForm::code) return code_boundaries(text);
    std::vector<Boundary> cuts = prose_boundaries(text);
    if (form == TextForm::markdown) raise(cuts, text);
    return cuts;
}

}  // namespace temper
