// Oniguruma's patterns on PCRE2: what differs is rewritten, what is not known is refused. Ids of real patterns are in the goldens.
#include "io/tokenizer/regex.h"

#include <gtest/gtest.h>

#include "io/unicode.h"
#include "tests/support/expect_error.h"

namespace temper::tok {
namespace {

// The matches with bars around them.
std::string marked(const std::string& pattern, const std::string& text) {
    std::vector<Match> matches;
    Regex(pattern, "test").find_all(text, matches);
    std::string result;
    for (const Match& match : matches) {
        const std::string part = text.substr(match.begin, match.end - match.begin);
        result += match.matched ? "|" + part + "|" : part;
    }
    return result;
}

TEST(Regex, MatchesAsOniguruma) {
    EXPECT_EQ(marked(R"(\s+)",
                     "a\xe1\xa0\x8e"
                     "b \xc2\x85\xe2\x80\xa8"
                     "c"),
              "a\xe1\xa0\x8e"
              "b| \xc2\x85\xe2\x80\xa8|c");  // U+180E is no space
    EXPECT_EQ(marked(R"(\h+)", "xyz 1Fg"), "xyz |1F|g");
    EXPECT_EQ(marked(R"(a{,2}b)", "aaab b a{,2}b"), "a|aab| |b| a{,2}|b|");
    EXPECT_EQ(marked(R"(x{a})", "x{a} x"), "|x{a}| x");
    EXPECT_EQ(marked(R"(a.b)", "a\nb a-b"), "a\nb |a-b|");
    EXPECT_EQ(marked(R"((?m:a.b))", "a\nb a-b"), "|a\nb| |a-b|");
    EXPECT_EQ(marked(R"(^b$)", "a\nb\nc"), "a\n|b|\nc");
    EXPECT_EQ(marked(R"((?i:'S|'T))", "it's I'T"), "it|'s| I|'T|");
    EXPECT_EQ(marked(R"(\p{L}+)", "a\xf0\xb1\x8d\x90 1"), "|a\xf0\xb1\x8d\x90| 1");  // U+31350, a letter since Unicode 15
    EXPECT_EQ(marked(R"([^\s\p{L}]+)", "ab1!\xf0\xb1\x8d\x90 ?"), "ab|1!|\xf0\xb1\x8d\x90 |?|");
    EXPECT_EQ(marked(R"(\w+)", "a_\xc2\xb2 \xe2\x93\x90-"), "|a_\xc2\xb2| |\xe2\x93\x90|-");
    EXPECT_EQ(marked(R"((?=b))", "abab"), "a||ba||b");
    EXPECT_EQ(marked(R"(\x41|\x{1F600}|\u00e9)", "A\xc3\xa9\xf0\x9f\x98\x80"), "|A||\xc3\xa9||\xf0\x9f\x98\x80|");
    EXPECT_EQ(marked(escape_literal("a.b|c[\n"), "a.b|c[\n axb"), "|a.b|c[\n| axb");
    EXPECT_EQ(marked("a", ""), "");
}

TEST(Regex, RefusesWhatItDoesNotKnow) {
    for (const char* pattern : {"(",
                                ")",
                                "[",
                                "[]",
                                "[[a]]",
                                "[a&&b]",
                                R"(\)",
                                R"(\p)",
                                R"(\p{)",
                                R"(\p{Foo})",
                                R"(\p{Mn})",
                                R"([\W])",
                                R"([a-\d])",
                                R"(\1)",
                                R"(\k<a>)",
                                R"((?<a>b))",
                                R"((?#c))",
                                R"((?x:a b))",
                                R"((?s:a))",
                                R"(a(?i)b)",
                                "*",
                                "a**",
                                "a{2}{3}",
                                "a{2}+",
                                "(?=a)*",
                                "^*",
                                R"(\R)",
                                R"(\X)",
                                R"(\K)",
                                R"(\G)",
                                R"(\x{110000})",
                                R"(\x{d800})",
                                R"(\xff)",
                                R"(\u12)",
                                "(?i:\\p{Lu})",
                                "[[:alpha:]]",
                                "(?",
                                "(?i",
                                "[a"})
        EXPECT_ERROR(Regex(pattern, "file"), ExitCode::bad_data, "file: regular expression");
    std::string deep;
    for (int i = 0; i < 1000; ++i) deep += "(?:";
    EXPECT_ERROR(Regex(deep, "file"), ExitCode::bad_data, "nesting deeper");
    EXPECT_ERROR(Regex(std::string(70000, 'a'), "file"), ExitCode::bad_data, "longer than");
}

TEST(Unicode, InvalidSequencesBecomeReplacementsAsInTheStandard) {
    const std::string r = "\xef\xbf\xbd";
    EXPECT_EQ(replace_invalid_utf8("ab"), "ab");
    EXPECT_EQ(replace_invalid_utf8("\xf0\x9f\x98"), r);  // a cut character is one
    EXPECT_EQ(replace_invalid_utf8("\xf0\x9f\x98"
                                   "a\xe2\x82"),
              r + "a" + r);
    EXPECT_EQ(replace_invalid_utf8("\xc0\x80"), r + r);                  // overlong
    EXPECT_EQ(replace_invalid_utf8("\xed\xa0\x80"), r + r + r);          // a surrogate
    EXPECT_EQ(replace_invalid_utf8("\xf4\x90\x80\x80"), r + r + r + r);  // above U+10FFFF
    EXPECT_EQ(replace_invalid_utf8("\x80\xff\xfe"), r + r + r);
}

}  // namespace
}  // namespace temper::tok
