#include "retrieval/dataset_rows.h"

#include <chrono>

#include <gtest/gtest.h>

#include "retrieval/answer_json.h"

#include "tests/support/expect_error.h"

namespace temper {
namespace {

const std::vector<std::string> instruct = {"prompt", "completion"}, preference = {"prompt", "chosen", "rejected"};

TEST(DatasetRows, FormsOfAnswers) {
    const std::string row = R"({"prompt": " p ", "completion": "c\n", "more": 1})";
    const std::vector<Json> expected = {Json{{"prompt", "p"}, {"completion", "c"}}};
    for (const std::string& answer : {R"({"rows": [)" + row + "]}", "[" + row + "]", row, R"({"count": 1, "pairs": [)" + row + "]}",
                                      "```json\n{\"rows\": [" + row + "]}\n```", "Sure!\n```\n[" + row + "]\n```\nbye", "\n  " + row + "\n"})
        EXPECT_EQ(rows_of_answer(answer, instruct, 3), expected) << answer;
    EXPECT_EQ(rows_of_answer("[" + row + "," + row + "," + row + "]", instruct, 2).size(), 2u);
    EXPECT_EQ(rows_of_answer(R"([{"prompt":"p","chosen":"a","rejected":"b"}])", preference, 2).size(), 1u);
}

TEST(AnswerJson, CodeThoughtsAndTalkAroundIt) {
    const std::string code = R"({"rows": [{"prompt": "a } \" {", "completion": "```python\nx = {\"a\": [1]}\n```"}]})";
    for (const std::string& answer :
         {code, "```json\n" + code + "\n```", "Here:\n```\n" + code + "\n```\nThe ``` marks code, {} an object, see [1].", "```json " + code + " ```",
          "```json\n" + code,  // its fence was not closed
          "<think>{\"rows\": 1}, no: [{\"a\": 2}]</think>\n\n" + code, "I try {\"rows\": []}\n</think>\n```json\n" + code + "\n```",
          "```json\n{\"rows\": [1]}\n```\nBetter:\n```json\n" + code + "\n```\n", "Here is the JSON: " + code + " I used [1] and {}.",
          "As [1] and {} say: " + code, code + "\nI hope that helps!"})
        EXPECT_EQ(json_in_answer(answer), code) << answer;
    const std::string thought = R"({"prompt": "p", "completion": "<think>a</think> b"})";
    EXPECT_EQ(json_in_answer(thought), thought);
    EXPECT_EQ(json_in_answer("Here: " + thought), thought);
    EXPECT_EQ(json_in_answer("<think>" + code), "");  // cut while it thought
    EXPECT_EQ(json_in_answer("  [1] of ten \n"), "[1]");
    EXPECT_EQ(json_in_answer(" no JSON\n"), "no JSON");
}

TEST(AnswerJson, WhatIsAmbiguousOrBrokenIsLeftForTheMessage) {
    EXPECT_EQ(json_in_answer("One a line:\n{\"a\": 1}\n{\"a\": 2}\nDone"), "{\"a\": 1}\n{\"a\": 2}");
    EXPECT_EQ(json_in_answer("```json\n{\"a\": 1}\n{\"a\": 2}\n```"), "{\"a\": 1}\n{\"a\": 2}");
    EXPECT_EQ(json_in_answer("Sure [1]! {\"a\": 1,} Bye"), "{\"a\": 1,}");
    EXPECT_EQ(json_in_answer("```json\n{\"rows\": [{\"a\": 1}, {\"a\""), "{\"rows\": [{\"a\": 1}, {\"a\"");  // no row of an answer that was cut
}

TEST(AnswerJson, TimeGrowsWithTheAnswerAlone) {
    for (const std::string piece : {"[", "{\"", "{} ", "{\"a\":1} ", "[{\"", "{x} ", "```\n{\"a\":1}\n", "\\\"{", "]{", "{x}          "}) {
        std::string answer;
        while (answer.size() < (std::size_t(4) << 20)) answer += piece;
        const auto start = std::chrono::steady_clock::now();
        json_in_answer(answer);
        EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 5) << piece;
    }
}

TEST(DatasetRows, WhatIsWrongIsSaid) {
    const auto refuse = [](const std::string& answer, const std::vector<std::string>& fields, const std::string& words) {
        EXPECT_ERROR(rows_of_answer(answer, fields, 3), ExitCode::bad_data, words);
    };
    refuse("", instruct, "the answer is empty");
    refuse("I cannot do that.", instruct, "the answer");
    refuse(R"({"rows": [{"prompt": "p", "completion": "c"})", instruct, "the answer");
    refuse("3", instruct, "the answer is a number");
    refuse("{}", instruct, "no list \"rows\"");
    refuse(R"({"a": [], "b": []})", instruct, "several lists");
    refuse("[]", instruct, "the list of rows is empty");
    refuse("[1]", instruct, "row 1 is a number, expected an object");
    refuse(R"([{"prompt": "p"}])", instruct, "row 1 has no field \"completion\"");
    refuse(R"([{"prompt": "p", "completion": ["c"]}])", instruct, "\"completion\" is a array, expected text");
    refuse(R"([{"prompt": "  ", "completion": "c"}])", instruct, "row 1: \"prompt\" is empty");
    refuse(R"([{"prompt": "p", "chosen": "a", "rejected": "a"}])", preference, "are equal");
    EXPECT_NE(repair_question("why", preference).find(R"({"rows": [{"prompt": "...", "chosen": "...", "rejected": "..."}]})"), std::string::npos);
}

TEST(DatasetRows, RowsAsMessagesOrTexts) {
    const Json row = {{"prompt", "p"}, {"chosen", "a"}, {"rejected", "b"}};
    EXPECT_EQ(training_row(row, false), row);
    const Json messages = training_row(row, true);
    EXPECT_EQ(messages["prompt"], Json::parse(R"([{"role":"user","content":"p"}])"));
    EXPECT_EQ(messages["rejected"], Json::parse(R"([{"role":"assistant","content":"b"}])"));
}

TEST(DatasetRows, PromptsThatAreOne) {
    EXPECT_EQ(prompt_key("What  is\nIt ?"), prompt_key("what is it"));
    EXPECT_NE(prompt_key("what is it"), prompt_key("what was it"));
    EXPECT_EQ(prompt_key(" .. "), "");
}

TEST(DatasetRows, SplitIsByDocumentAndNearItsShare) {
    int tests = 0, other_seed = 0;
    for (int i = 0; i < 5000; ++i) {
        const std::string document = "doc" + std::to_string(i);
        EXPECT_FALSE(is_test_document(document, 0, 1));
        const bool test = is_test_document(document, 0.2, 1);
        tests += test;
        other_seed += test != is_test_document(document, 0.2, 2);
        EXPECT_TRUE(!test || is_test_document(document, 0.3, 1));
    }
    EXPECT_NEAR(tests, 1000, 120);
    EXPECT_GT(other_seed, 1000);
}

}  // namespace
}  // namespace temper
