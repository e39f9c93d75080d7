// Parts of the template language on their own: tokens and whitespace, numbers as text, characters, formats, generation ranges.
#include <gtest/gtest.h>

#include "io/chat_template.h"
#include "io/jinja/format.h"
#include "io/jinja/lexer.h"
#include "io/jinja/literals.h"
#include "io/jinja/operators.h"
#include "io/jinja/print.h"
#include "io/jinja/text.h"

namespace temper {
namespace {

using jinja::Side;
using jinja::TokenKind;
using jinja::Value;

std::string render(const std::string& source, const Json& variables = Json::object()) {
    return ChatTemplate(source, "", "").render(Json::array(), false, variables).text;
}

TEST(JinjaLexer, PlacesCountLinesAndCharacters) {
    const auto tokens = jinja::tokenize("é\n {{ name }}");
    ASSERT_EQ(tokens.size(), 5u);
    EXPECT_EQ(tokens[0].kind, TokenKind::data);
    EXPECT_EQ(tokens[0].text, "é\n ");
    EXPECT_EQ(tokens[1].kind, TokenKind::print_begin);
    EXPECT_EQ(tokens[1].place.line, 2);
    EXPECT_EQ(tokens[1].place.column, 2);
    EXPECT_EQ(tokens[2].text, "name");
    EXPECT_EQ(tokens[2].place.column, 5);
    EXPECT_EQ(tokens[4].kind, TokenKind::end);
}

TEST(JinjaLexer, WhitespaceControl) {
    EXPECT_EQ(render("a\n  {% if 1 %}\nb\n  {% endif %}\nc\n"), "a\nb\nc");  // trim_blocks, lstrip_blocks, the last line end
    EXPECT_EQ(render("a {%- if 1 -%} b {%- endif -%} c"), "abc");
    EXPECT_EQ(render("a\n  {%+ if 1 +%}\nb{% endif %}"), "a\n  \nb");
    EXPECT_EQ(render("  {{ 1 }}\n{{ 2 }}"), "  1\n2");  // print tags keep what is around them
    EXPECT_EQ(render("{% raw %}{{ x }}{% endraw %}{# gone #}!"), "{{ x }}!");
}

TEST(JinjaLiterals, Numbers) {
    EXPECT_EQ(jinja::read_number("1_000)", true).integer, 1000);
    EXPECT_EQ(jinja::read_number("0x1Fg", true).integer, 31);
    EXPECT_EQ(jinja::read_number("0x1Fg", true).size, 4u);
    EXPECT_EQ(jinja::read_number("12.5e1x", true).real, 125.0);
    EXPECT_FALSE(jinja::read_number("1.foo", true).is_real);
    EXPECT_TRUE(jinja::read_number("9223372036854775808", true).overflow);
    EXPECT_EQ(jinja::parse_integer(" -4_2 ", 10), -42);
    EXPECT_EQ(jinja::parse_integer("4__2", 10), std::nullopt);
    EXPECT_EQ(jinja::parse_float("5."), 5.0);
    EXPECT_EQ(jinja::parse_float("."), std::nullopt);
    EXPECT_THROW(jinja::unescape_text("\\ud800"), jinja::Failure);
    EXPECT_EQ(jinja::unescape_text("\\x41\\u00e9\\q"), "Aé\\q");
}

TEST(JinjaPrint, FloatsAsPython) {
    const std::pair<double, const char*> cases[] = {
        {0.1, "0.1"},     {1.0, "1.0"},    {-0.0, "-0.0"},        {1e15, "1000000000000000.0"}, {1e16, "1e+16"},
        {1e-4, "0.0001"}, {1e-5, "1e-05"}, {1.5e300, "1.5e+300"}, {123456.75, "123456.75"},     {5e-324, "5e-324"}};
    for (const auto& [number, text] : cases) EXPECT_EQ(jinja::float_repr(number), text);
    EXPECT_EQ(render("{{ x }} {{ x | tojson }}", Json{{"x", Json::array({1e20, nullptr, true, "é'"})}}),
              "[1e+20, None, True, \"é'\"] [1e+20, null, true, \"é'\"]");
}

TEST(JinjaText, CharactersAreCodePoints) {
    EXPECT_EQ(jinja::character_count("aé😀"), 3u);
    EXPECT_EQ(jinja::strip("\u00a0 x\u3000", Side::both), "x");
    EXPECT_EQ(jinja::to_upper("straße ﬁ"), "STRASSE FI");
    EXPECT_EQ(jinja::to_lower("ΑΣ Σ"), "ας σ");
    EXPECT_EQ(jinja::to_title("it's wörld"), "It'S Wörld");
    EXPECT_EQ(jinja::count_of("aaa", "aa"), 1u);
    EXPECT_EQ(jinja::split_lines("a\r\nb\u2028c\n", false).size(), 3u);
    EXPECT_EQ(render("{{ x[::-1] }}{{ x[1] }}{{ x | length }}", Json{{"x", "aé😀"}}), "😀éaé3");
}

TEST(JinjaOperators, IntegersAndFloatsCompareExactly) {
    EXPECT_FALSE(jinja::equal(Value::of(std::int64_t(9007199254740993)), Value::of(9007199254740992.0)));
    EXPECT_EQ(jinja::order(Value::of(std::int64_t(INT64_MAX)), Value::of(9223372036854775808.0)), -1);
    EXPECT_EQ(jinja::order(Value::of(std::int64_t(-3)), Value::of(-3.5)), 1);
    EXPECT_TRUE(jinja::equal(Value::of(true), Value::of(1.0)));
}

TEST(JinjaFormat, FloatsAndFields) {
    EXPECT_EQ(jinja::format_float(2.675, 'f', 2), "2.67");
    EXPECT_EQ(jinja::format_float(12345.678, 'e', 3), "1.235e+04");
    EXPECT_EQ(jinja::format_float(0.0001, 'g', 6), "0.0001");
    EXPECT_EQ(render("{{ '%-4s|%04d|%.1f' % ('é', -7, 0.25) }}"), "é   |-007|0.2");
    EXPECT_EQ(render("{{ '{:>4}|{0}'.format(1) if false else '{0:>4}|{0}'.format(1) }}"), "   1|1");
}

TEST(JinjaScopes, ALoopDoesNotReachOutside) {
    EXPECT_EQ(render("{% set x = 1 %}{% for i in [2] %}{% set x = i %}{{ x }}{% endfor %}{{ x }}"), "21");
    EXPECT_EQ(render("{% set n = namespace(x=1) %}{% for i in [2] %}{% set n.x = i %}{% endfor %}{{ n.x }}"), "2");
    // A name that the template sets itself is never the caller's, not even before it is set.
    EXPECT_EQ(render("{% for i in [1] %}{{ x is defined }}{% endfor %}{% set x = 1 %}", Json{{"x", 5}}), "False");
    EXPECT_EQ(render("{{ x }}{% set x = 1 %}{{ x }}", Json{{"x", 5}}), "51");
}

TEST(JinjaGeneration, RangesAreBytesOfTheOutput) {
    const auto rendered =
        ChatTemplate("é{% generation %}aé{% endgeneration %}b{% generation %}{% endgeneration %}", "", "").render(Json::array(), false);
    EXPECT_EQ(rendered.text, "éaéb");
    const std::vector<std::pair<std::size_t, std::size_t>> expected = {{2, 5}, {6, 6}};
    EXPECT_EQ(rendered.generated, expected);
}

}  // namespace
}  // namespace temper
