// Every kind of check on good and bad answers; a mistake in the file is told with its line.
#include "eval/hard_checks.h"

#include <gtest/gtest.h>

#include "io/json_schema.h"
#include "kernels/error.h"

namespace temper {
namespace {

// The faults of the one check in `yaml`.
std::string fault(const std::string& yaml, const std::string& answer, const Json& row = Json::object()) {
    const std::vector<HardChecks::Result> results = HardChecks("checks:\n  - " + yaml + "\n", "checks.yaml").run(answer, row);
    EXPECT_EQ(results.size(), 1u);
    return results.empty() ? "none" : results[0].fault;
}
void expect_good(const std::string& yaml, const std::vector<std::string>& answers, const Json& row = Json::object()) {
    for (const std::string& answer : answers) EXPECT_EQ(fault(yaml, answer, row), "") << yaml << " of " << answer;
}
void expect_bad(const std::string& yaml, const std::vector<std::string>& answers, const Json& row = Json::object()) {
    for (const std::string& answer : answers) EXPECT_NE(fault(yaml, answer, row), "") << yaml << " of " << answer;
}
std::string message(const std::string& yaml) {
    try {
        HardChecks(yaml, "checks.yaml");
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::usage);
        return error.what();
    }
    return "";
}

TEST(HardChecks, TellGoodAnswersFromBadOnes) {
    expect_good("json: true", {"{}", " [1, 2]\n", "\"a\"", "3"});
    expect_bad("json: true", {"", "{", "{'a': 1}", "{\"a\": 1} and more", "```json\n{}\n```", "{\"a\": NaN}"});
    expect_bad("json: object", {"[1]", "3"});
    const std::string schema =
        "json_schema: {type: object, required: [team], properties: {team: {enum: [a, b]}, urgent: {type: boolean}}, additionalProperties: false}";
    expect_good(schema, {R"({"team": "a"})", R"({"team": "b", "urgent": true})"});
    expect_bad(schema, {R"({"team": "c"})", "{}", R"({"team": "a", "urgent": 1})", R"({"team": "a", "more": 1})", "[]", "team a"});
    const Json row{{"reference", "{\"team\": \"a\", \"n\": 3}"}, {"wanted", "x"}};
    expect_good("field_equals: {team: reference, n: 3}", {R"({"team": "a", "n": 3.0})"}, row);
    expect_bad("field_equals: {team: reference}", {R"({"team": "b"})", "{}", "a"}, row);
    expect_good("equals: row.wanted", {"x", " x\n"}, row);
    expect_bad("equals: row.other", {"x"}, row);
    expect_good("regex: '^Ticket [0-9]+$'", {"Ticket 12"});
    expect_bad("regex: '^Ticket [0-9]+$'", {"Ticket", "ticket 12", "A Ticket 12"});
    expect_bad("not_regex: '(?i)as an ai'", {"As an AI, I cannot"});
    expect_good("contains: [Paris, Seine]", {"Paris lies on the Seine."});
    expect_bad("contains: [Paris, Seine]", {"Paris lies on the river."});
    expect_good("forbidden: [cat, 'in short']", {"concatenate categories", "in shorts"});
    expect_bad("forbidden: [cat, 'in short']", {"The CAT sat.", "In short, no."});
    expect_good("starts_with: 'TLDR:'", {"TLDR: yes", "\nTLDR: yes"});
    expect_bad("starts_with: 'TLDR:'", {"tldr: yes", "So TLDR:"});
    expect_bad("ends_with: ['.', '!']", {"no", "no?"});
    expect_good("words: {min: 2, max: 3}", {"a b", "a b c"});
    expect_bad("words: {min: 2, max: 3}", {"", "a", "a b c d"});
    expect_good("characters: {max: 3}", {"", "東京都"});
    expect_bad("characters: {max: 3}", {"abcd"});
    expect_good("lines: 2", {"a\nb", "a\nb\n"});
    expect_bad("lines: 2", {"a", "a\nb\nc", ""});
    expect_good("separator: {text: '---', exactly: 2}", {"a---b---c"});
    expect_bad("separator: {text: '---', exactly: 2}", {"a---b", "a---b---c---d"});
    expect_good("script: latin", {"Straße, naïve 12!", "All latin, with one 東 among many many letters here"});
    expect_bad("script: latin", {"Привет", "東京", "123"});
    expect_good("script: japanese", {"東京は大きいです。"});
    expect_good("{field: summary.text, words: 2}", {R"({"summary": {"text": "two words"}})"});
    expect_bad("{field: summary.text, words: 2}", {R"({"summary": {}})", "two words"});
}

TEST(HardChecks, SentencesAreCounted) {
    const auto count = [](const std::string& text) { return split_sentences(text).size(); };
    EXPECT_EQ(count("One. Two! Three?"), 3u);
    EXPECT_EQ(count("Dr. Smith paid $3.50, e.g. for tea. He left."), 2u);
    EXPECT_EQ(count("\"Really?\" she asked. (Yes.) Fine…"), 4u);
    EXPECT_EQ(count("これは文です。これも文です！"), 2u);
    EXPECT_EQ(count("A heading\n\nA sentence. No mark at the end"), 3u);
    EXPECT_EQ(count("J. R. R. Tolkien wrote it."), 1u);
    EXPECT_EQ(count("  \n"), 0u);
    expect_good("sentences: {exactly: 3}", {"One. Two. Three."});
    expect_bad("sentences: {min: 10, max: 15}", {"One. Two. Three."});
}

TEST(HardChecks, AreForRowsWithTheirTags) {
    const HardChecks checks("checks:\n  - {words: 1, when: {tags: [short]}}\n  - {words: 2}\n", "checks.yaml");
    EXPECT_EQ(checks.run("a", Json{{"tags", {"long"}}}).size(), 1u);
    const std::vector<HardChecks::Result> both = checks.run("a", Json{{"tags", {"short", "x"}}});
    ASSERT_EQ(both.size(), 2u);
    EXPECT_EQ(both[0].fault, "");
    EXPECT_EQ(both[1].check, "words 2");
    EXPECT_EQ(both[1].fault, "1 words, expected 2");
}

TEST(HardChecks, MistakesAreToldWithTheirLine) {
    EXPECT_NE(message("checks:\n  - json: true\n  - sentence: 3\n").find("checks.yaml:3:5: unknown check 'sentence'; did you mean sentences?"),
              std::string::npos)
        << message("checks:\n  - json: true\n  - sentence: 3\n");
    for (const char* yaml : {"", "checks: []", "checks: 3", "check: [{json: true}]", "checks: [{name: a}]", "checks: [{json: true, words: 1}]",
                             "checks: [{words: {least: 1}}]", "checks: [{words: {min: 3, max: 2}}]", "checks: [{regex: '('}]",
                             "checks: [{script: klingon}]", "checks: [{json_schema: {typ: object}}]", "checks: [{json_schema: {type: text}}]",
                             "checks: [{words: -1}]", "checks: [{separator: {exactly: 1}}]"})
        EXPECT_NE(message(yaml).find("checks.yaml:"), std::string::npos) << yaml << ": " << message(yaml);
}

TEST(JsonSchema, FaultsNameTheirPlace) {
    const auto check = [](const char* schema, const char* value) { return JsonSchema(Json::parse(schema), "s").fault(Json::parse(value)); };
    EXPECT_EQ(check(R"({"items": {"type": "integer"}})", "[1, 2.0, 3]"), "");
    EXPECT_EQ(check(R"({"properties": {"a": {"items": {"type": "integer"}}}})", R"({"a": [1, 2.5]})"), "$.a[1]: expected integer, found 2.5");
    EXPECT_EQ(check(R"({"$defs": {"n": {"minimum": 2}}, "items": {"$ref": "#/$defs/n"}})", "[2, 1]"), "$[1]: expected at least 2, found 1");
    EXPECT_NE(check(R"({"anyOf": [{"type": "null"}, {"minLength": 3}]})", R"("ab")"), "");
    EXPECT_EQ(check(R"({"oneOf": [{"type": "null"}, {"type": "string"}]})", R"("ab")"), "");
    EXPECT_NE(check(R"({"oneOf": [{"type": "string"}, {"minLength": 1}]})", R"("ab")"), "");
    EXPECT_NE(check(R"({"uniqueItems": true})", "[1, 2, 1.0]"), "");
    EXPECT_NE(check(R"({"not": {"type": "null"}})", "null"), "");
    EXPECT_NE(check(R"({"if": {"required": ["a"]}, "then": {"required": ["b"]}})", R"({"a": 1})"), "");
    EXPECT_EQ(check(R"({"if": {"required": ["a"]}, "then": {"required": ["b"]}})", R"({"c": 1})"), "");
    EXPECT_NE(check(R"({"patternProperties": {"^n": {"type": "number"}}, "additionalProperties": false})", R"({"n1": 1, "x": 2})"), "");
    EXPECT_NE(check(R"({"prefixItems": [{"const": 1}], "items": {"const": 2}})", "[1, 2, 3]"), "");
    EXPECT_NE(check(R"({"pattern": "^a"})", R"("ba")"), "");
    EXPECT_THROW(check(R"({"$ref": "#"})", "1"), Error);
    EXPECT_THROW(check(R"({"$ref": "other.json"})", "1"), Error);
    EXPECT_THROW(check(R"({"$ref": "#/default", "default": {"type": 3}})", "1"), Error);
    EXPECT_THROW(check(R"({"$ref": "#/$defs/a"})", "1"), Error);
    EXPECT_THROW(check(R"({"required": ["a", null]})", "1"), Error);
}

// An expression that tries too long ends neither the other checks nor the other rows.
TEST(HardChecks, OneThatCannotBeDecidedFails) {
    const HardChecks checks("checks:\n  - {regex: '^(a|aa|a.)+$'}\n  - {words: 1}\n", "checks.yaml");
    const std::vector<HardChecks::Result> results = checks.run(std::string(60, 'a') + "\n\n", Json::object(), "rows.jsonl:3");
    ASSERT_EQ(results.size(), 2u);
    EXPECT_NE(results[0].fault.find("limit"), std::string::npos) << results[0].fault;
    EXPECT_EQ(results[1].fault, "");
}

}  // namespace
}  // namespace temper
