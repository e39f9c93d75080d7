// The patterns that are cut by hand give the words that PCRE2 finds for them, on texts made to be hard.
#include "io/tokenizer/word_cutters.h"

#include <random>

#include <gtest/gtest.h>

#include "io/tokenizer/character_classes.h"
#include "io/tokenizer/regex.h"
#include "io/unicode.h"

namespace temper::tok {
namespace {

const std::string contractions = R"((?i:'s|'t|'re|'ve|'m|'ll|'d))";
const std::string rest = R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
const std::string lead = R"([^\r\n\p{L}\p{N}]?)", head = R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])", tail = R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])";

std::string cased(const std::string& digits) {
    return contractions + R"(|[^\r\n\p{L}\p{N}]?\p{L}+|)" + digits + R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|)" + rest;
}
std::string capitals(const std::string& end, const std::string& digits) {
    return lead + head + "*" + tail + "+" + end + "|" + lead + head + "+" + tail + "*" + end + "|" + digits + R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*|)" +
           rest;
}

const std::vector<std::string>& patterns() {
    static const std::vector<std::string> all = {std::string(gpt2_pattern), cased(R"(\p{N}{1,3})"), cased(R"(\p{N})"),
                                                 capitals(contractions + "?", R"(\p{N}{1,3})"), capitals("", R"(\p{N})")};
    return all;
}

std::vector<std::string> words_of(WordCutter cutter, const std::string& text, std::size_t capacity) {
    std::vector<std::string> words;
    std::vector<Word> found(capacity);
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t count = cutter(text, at, found.data(), capacity);
        for (std::size_t i = 0; i < count; ++i) words.push_back(text.substr(found[i].begin, found[i].end - found[i].begin));
    }
    return words;
}

std::vector<std::string> matches_of(const Regex& regex, const std::string& text) {
    std::vector<Match> matches;
    regex.find_all(text, matches);
    std::vector<std::string> words;
    for (const Match& match : matches) words.push_back(text.substr(match.begin, match.end - match.begin));
    return words;
}

void expect_same(const std::string& text, std::size_t capacity = 7) {
    for (const std::string& pattern : patterns()) {
        static std::map<std::string, Regex> compiled;
        const Regex& regex = compiled.try_emplace(pattern, pattern, "test").first->second;
        ASSERT_NE(cutter_of_pattern(pattern), nullptr) << pattern;
        ASSERT_EQ(words_of(cutter_of_pattern(pattern), text, capacity), matches_of(regex, text)) << pattern << "\n" << testing::PrintToString(text);
    }
}

TEST(WordCutters, CutEveryShortTextAsTheirPatternsDo) {
    // One of each kind of character that a pattern tells apart; all texts of up to five of them.
    const std::vector<std::string> kinds = {"a", "B", "s", "'", "7", " ", "\n", "!", "/", "\xc7\x85", "\xe6\x9d\xb1", "\xcc\x81", "\xc2\xa0"};
    std::vector<std::string> texts = {""};
    for (std::size_t from = 0, length = 1; length <= 5; ++length) {
        const std::size_t to = texts.size();
        for (; from < to; ++from)
            for (const std::string& kind : kinds) texts.push_back(texts[from] + kind);
    }
    // Texts one behind the other would tell nothing apart; each stands alone, and every hundredth does for the longest.
    for (std::size_t i = 0; i < texts.size(); i += i < 32'000 ? 1 : 29) expect_same(texts[i]);
}

TEST(WordCutters, CutRandomTextsAsTheirPatternsDo) {
    std::mt19937 random(7);
    const std::vector<std::string> parts = {"'s",
                                            "'S",
                                            "'ll",
                                            "'LL",
                                            "'re",
                                            "'Ve",
                                            "'d",
                                            "'\xc5\xbf",
                                            "'",
                                            "  ",
                                            " ",
                                            "\r\n",
                                            "\n",
                                            "\t",
                                            "12345",
                                            "\xc2\xbd",
                                            "\xd9\xa3",
                                            "word",
                                            "Word",
                                            "WORD",
                                            "\xc3\xa9",
                                            "\xd0\x91\xd0\xb1",
                                            "\xe6\x9d\xb1\xe4\xba\xac",
                                            "e\xcc\x81",
                                            "\xcc\x81",
                                            "...",
                                            "/",
                                            "/\n",
                                            "\xf0\x9f\x98\x80",
                                            "\xe2\x80\x83",
                                            "\xe2\x80\xa8",
                                            "_",
                                            "-",
                                            "\xca\xb0",
                                            "\xe2\x85\xa7",
                                            "(",
                                            "\xef\xbb\xbf"};
    for (int round = 0; round < 4000; ++round) {
        std::string text;
        for (std::size_t size = random() % 24; size > 0; --size) {
            if (random() % 8 != 0) text += parts[random() % parts.size()];
            else if (const auto c = static_cast<char32_t>(random() % 0x30000); c < 0xd800 || c > 0xdfff) append_utf8(text, c);
        }
        expect_same(text, 1 + random() % 64);
    }
}

TEST(WordCutters, ClassesAreThoseOfThePatterns) {
    const std::pair<const char*, std::uint8_t> classes[] = {
        {R"([\p{Lu}\p{Lt}])", CharacterClasses::upper}, {R"(\p{Ll})", CharacterClasses::lower}, {R"([\p{Lm}\p{Lo}])", CharacterClasses::other_letter},
        {R"(\p{M})", CharacterClasses::mark},           {R"(\p{N})", CharacterClasses::number}, {R"(\s)", CharacterClasses::space}};
    const CharacterClasses& table = CharacterClasses::table();
    for (const auto& [pattern, bit] : classes) {
        const Regex regex(pattern, "test");
        std::string text;
        std::vector<char32_t> all;
        for (char32_t c = 0; c < 0x110000; ++c) {
            if (c == 0xd800) c = 0xe000;
            append_utf8(text, c);
            all.push_back(c);
        }
        std::vector<Match> matches;
        regex.find_all(text, matches);
        std::vector<bool> matched(0x110000);
        for (const Match& match : matches)
            for (std::size_t at = match.begin; match.matched && at < match.end; at += character_size(text[at]))
                matched[decode_character(text, at)] = true;
        std::vector<unsigned> wrong;
        for (const char32_t c : all)
            if (matched[c] != ((table.of(c) & bit) != 0)) wrong.push_back(static_cast<unsigned>(c));
        EXPECT_EQ(wrong, std::vector<unsigned>()) << pattern;
    }
    for (char32_t c = 0; c < 0x110000; ++c) {
        ASSERT_EQ((table.of(c) & CharacterClasses::punctuation) != 0, is_punctuation(c)) << static_cast<unsigned>(c);
        ASSERT_EQ((table.of(c) & CharacterClasses::digit) != 0, is_numeric(c)) << static_cast<unsigned>(c);
    }
}

TEST(WordCutters, MarksAndWhiteSpace) {
    using Words = std::vector<std::string>;
    const std::string mark = "\xe2\x96\x81";
    EXPECT_EQ(words_of(cut_before_marks, "a" + mark + mark + "b" + mark, 2), (Words{"a", mark, mark + "b", mark}));
    EXPECT_EQ(words_of(cut_at_whitespace,
                       "  ab \t c\xe2\x80\x83"
                       "d\n",
                       1),
              (Words{"ab", "c", "d"}));
    EXPECT_EQ(words_of(cut_at_whitespace_and_punctuation, " don't (a) ", 3), (Words{"don", "'", "t", "(", "a", ")"}));
    EXPECT_EQ(words_of(cut_at_whitespace, "   ", 3), Words{});
}

}  // namespace
}  // namespace temper::tok
