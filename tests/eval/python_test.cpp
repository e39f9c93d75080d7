// What CPython does: random numbers, literals, YAML values, text.
#include <gtest/gtest.h>

#include "eval/python_literal.h"
#include "eval/python_random.h"
#include "eval/python_text.h"
#include "eval/yaml_value.h"
#include "io/durable.h"
#include "io/python_regex.h"
#include "kernels/error.h"

namespace temper {
namespace {

TEST(PythonRandom, DrawsAreThoseOfCPython) {
    const Json cases = parse_json(read_file(std::string(TEMPER_SOURCE_DIR) + "/tests/goldens/eval/random.json"), "random.json");
    for (const Json& expected : cases) {
        PythonRandom random(expected["seed"].get<std::uint64_t>());
        for (const Json& number : expected["random"]) EXPECT_EQ(random.random(), number.get<double>());
        std::vector<std::int64_t> indices(6);
        random.choices(1000, 6, indices.data());
        EXPECT_EQ(Json(indices), expected["choices"]);
        const std::pair<std::int64_t, std::int64_t> sizes[] = {{5, 5}, {50, 6}, {10000, 7}, {21, 3}};
        for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(Json(random.sample(sizes[i].first, sizes[i].second)), expected["sample"][i]);
        for (const Json& number : expected["below"]) EXPECT_EQ(random.below(std::uint64_t(1) << 40), number.get<std::uint64_t>());
        double late = 0.0;
        for (int i = 0; i < 700; ++i) late = random.random();
        EXPECT_EQ(late, expected["late"].get<double>());
    }
}

TEST(PythonLiteral, ReadsWhatLiteralEvalReads) {
    const auto read = [](const char* text) { return parse_python_literal(text).value_or(Json("none")).dump(); };
    EXPECT_EQ(read("['yes', \"it's\", 'a\\n\\'b\\'']"), R"(["yes","it's","a\n'b'"])");
    EXPECT_EQ(read("(1, -2.5, True, None, [])"), R"([1,-2.5,true,null,[]])");
    EXPECT_EQ(read("('a' 'b')"), R"("ab")");
    EXPECT_EQ(read("{'a': 1, 'b': (2,)}"), R"({"a":1,"b":[2]})");
    EXPECT_EQ(read(" 7 "), "7");
    for (const char* text : {"", "[", "['a'", "a", "[a]", "007", "1 2", "'a", "{1: 2}", "__import__('os')", "[1,,2]"})
        EXPECT_EQ(read(text), "\"none\"") << text;
}

TEST(YamlValue, ScalarsAreThoseOfPyYaml) {
    const auto read = [](const std::string& text) { return yaml_value(parse_yaml("a: " + text, "test"), "test")["a"].dump(); };
    EXPECT_EQ(read("yes"), "true");
    EXPECT_EQ(read("Off"), "false");
    EXPECT_EQ(read("'yes'"), "\"yes\"");
    EXPECT_EQ(read("~"), "null");
    EXPECT_EQ(read("017"), "15");
    EXPECT_EQ(read("0x1F"), "31");
    EXPECT_EQ(read("1_000"), "1000");
    EXPECT_EQ(read("1e3"), "\"1e3\"");
    EXPECT_EQ(read("1.0e+3"), "1000.0");
    EXPECT_EQ(read("-.5"), "\"-.5\"");
    EXPECT_EQ(read("2.5"), "2.5");
    EXPECT_EQ(read("1.2.3"), "\"1.2.3\"");
    EXPECT_EQ(read("[1, no, a]"), "[1,false,\"a\"]");
    EXPECT_THROW(read(".nan"), Error);
}

TEST(PythonText, SplitsAndLowersAsPythonDoes) {
    EXPECT_EQ(python_split(" a\xc2\xa0"
                           "b\x1d c\xe3\x80\x80")
                  .size(),
              3u);
    EXPECT_EQ(python_split("\xe2\x80\x8b").size(), 1u);  // a zero-width space is none
    EXPECT_EQ(python_rstrip("a \xe2\x80\x89\n"), "a");
    EXPECT_EQ(python_lower("ΟΔΟΣ ΣΑΣ. Σ"), "οδος σας. σ");
    EXPECT_EQ(python_lower("İK"), "i̇k");
}

TEST(PythonRegex, FindsAndReplacesAsReDoes) {
    const PythonRegex numbers("([0-9]+)|([a-z]+)", "test");
    const std::vector<std::vector<std::string>> expected{{"12", ""}, {"", "ab"}};
    EXPECT_EQ(numbers.find_all("12 ab"), expected);
    EXPECT_EQ(PythonRegex("x*", "test").find_all("axb").size(), 4u);  // '', 'x', '', ''
    EXPECT_EQ(PythonRegex("x*", "test").replace("abc", "-"), "-a-b-c-");
    EXPECT_EQ(PythonRegex("(?s).*#### ", "test").replace("a\nb #### 7", ""), "7");
    EXPECT_EQ(PythonRegex("(?P<w>\\w+) (\\w+)", "test").replace("hello world", "\\2 \\g<w>"), "world hello");
    EXPECT_EQ(PythonRegex("a", "test").replace("aaa", "b", 2), "bba");
    EXPECT_THROW(PythonRegex("(", "test"), Error);
    EXPECT_THROW(PythonRegex("a", "test").replace("a", "\\3"), Error);
}

}  // namespace
}  // namespace temper
