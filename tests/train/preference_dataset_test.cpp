// Pairs and labelled answers to tokens: as TRL makes them (tests/goldens/make_data_goldens.py), and what is said of rows that teach nothing.
#include "train/preference_dataset.h"

#include <set>

#include "io/durable.h"
#include "tests/train/data_fixture.h"
#include "train/dataset.h"

namespace temper {
namespace {

Json list_of(Span<const std::int32_t> ids) { return Json(std::vector<std::int32_t>(ids.begin(), ids.end())); }

std::string pair(const std::string& prompt, const std::string& chosen, const std::string& rejected) {
    return Json{{"prompt", prompt}, {"chosen", chosen}, {"rejected", rejected}}.dump() + "\n";
}

class Preferences : public DataFixture {
  protected:
    DataRequest pairs_of(const std::string& text) const {
        DataRequest wanted = request({write("pairs.jsonl", text)});
        wanted.kind = RowKind::pairs;
        return wanted;
    }
    DataRequest unpaired_of(const std::string& text) const {
        DataRequest wanted = pairs_of(text);
        wanted.kind = RowKind::unpaired;
        return wanted;
    }
    PreferenceDataset open(const DataRequest& request) { return PreferenceDataset::open(request, tokenizer_, *comm_); }
    std::string error_of(const DataRequest& request) {
        return DataFixture::error_of([&] { open(request); });
    }
    std::string text(Span<const std::int32_t> ids) const { return tokenizer_.decode(ids, false); }
    Json report_of(const DataRequest& request) { return data_report(open(request)); }
};

TEST_F(Preferences, EveryFormIsWhatTrlMakesOfIt) {
    const Json golden = Json::parse(read_file(goldens / "data/preferences.json"));
    for (const auto& [name, test] : golden.at("cases").items()) {
        SCOPED_TRACE(name);
        std::string text;
        for (const Json& row : test.at("rows")) text += row.dump() + "\n";
        DataRequest wanted = test.contains("kto") ? unpaired_of(text) : pairs_of(text);
        wanted.max_length = test.value("settings", Json::object()).value("max_length", 100000);
        if (test.contains("keep")) wanted.on_identical = wanted.on_empty = "keep";
        if (test.contains("template")) wanted.chat_template = read_file(goldens / "templates" / test.at("template").get<std::string>());
        const PreferenceDataset data = open(wanted);
        const Json& expected = test.at("expected");
        ASSERT_EQ(data.rows(), static_cast<std::int64_t>(expected.size()));
        for (std::int64_t row = 0; row < data.rows(); ++row) {
            SCOPED_TRACE(row);
            const Json& one = expected[static_cast<std::size_t>(row)];
            EXPECT_EQ(list_of(data.prompt(row)), one.at("prompt"));
            EXPECT_EQ(list_of(data.chosen(row)), one.at("answers").at(0));
            ASSERT_EQ(data.paired(), one.at("answers").size() == 2);
            if (data.paired()) {
                EXPECT_EQ(list_of(data.rejected(row)), one.at("answers").at(1));
            } else {
                EXPECT_EQ(data.label(row), one.at("label").get<bool>());
            }
        }
    }
}

TEST_F(Preferences, TheReportCountsWhatTheRowsAre) {
    const std::string rows = R"({"prompt": [{"role": "user", "content": "a"}], "chosen": [{"role": "assistant", "content": "b"}], )"
                             R"("rejected": "no, this"})"
                             "\n" +
                             pair("x", " y", " z") + R"({"chosen": "x is y", "rejected": "x is z"})" + "\n" +
                             R"({"prompt_ids": [5, 6], "chosen_ids": [7, 8], "rejected_ids": [9]})" + "\n";
    const PreferenceDataset data = open(pairs_of(rows));
    const Json report = data_report(data);
    EXPECT_EQ(report.at("files").at(0).at("forms"),
              (Json{{"pairs of messages", 1}, {"pairs of texts", 1}, {"pairs of texts, implicit prompt", 1}, {"pairs of tokens", 1}}));
    std::int64_t tokens = 0, learned = 0, longest = 0, longest_row = 0;
    for (std::int64_t row = 0; row < data.rows(); ++row) {
        const auto prompt = static_cast<std::int64_t>(data.prompt(row).size()), chosen = static_cast<std::int64_t>(data.chosen(row).size());
        const auto rejected = static_cast<std::int64_t>(data.rejected(row).size());
        EXPECT_EQ(data.length(row), prompt + chosen + rejected);
        tokens += data.length(row);
        learned += chosen + rejected;
        longest = std::max(longest, prompt + std::max(chosen, rejected));
        longest_row = std::max(longest_row, data.length(row));
    }
    EXPECT_EQ(report.at("rows"), 4);
    EXPECT_EQ(report.at("kept"), 4);
    EXPECT_EQ(report.at("tokens"), tokens);
    EXPECT_EQ(report.at("supervised_tokens"), learned);
    EXPECT_EQ(report.at("longest"), longest);
    EXPECT_EQ(report.at("longest_row"), longest_row);
    EXPECT_EQ(report.at("no_end_token"), 1);  // of the tokens, which are taken as they are
    EXPECT_EQ(report.at("no_end_token_rejected"), 1);
    EXPECT_EQ(report.at("chat_template_sha256"), sha256_hex(*tokenizer_.chat_template()));
    EXPECT_EQ(data.source_line(2), (work_ / "pairs.jsonl").string() + ":3");
    EXPECT_EQ(list_of(data.chosen(3)), Json({7, 8}));
    EXPECT_EQ(data_report(open(pairs_of(rows))), report);  // from the cache
}

TEST_F(Preferences, RowsWhosePromptIsElsewhereAreCounted) {
    const std::string row = R"({"question": "Which?", "chosen": "this", "rejected": "that"})", bare = R"({"chosen": "yes", "rejected": "no"})";
    const std::string whole = R"({"chosen": "Which? this", "rejected": "Which? that"})";
    EXPECT_EQ(report_of(pairs_of(row + "\n" + bare + "\n" + whole + "\n" + pair("x", " y", " z"))).at("prompt_elsewhere"), 2);
    DataRequest named = pairs_of(row);
    named.files[0].columns = {{"prompt", "question"}};
    EXPECT_EQ(report_of(named).at("prompt_elsewhere"), 0);
}

TEST_F(Preferences, ASystemColumnGoesBeforeAPromptOfMessages) {
    const std::string answers = R"("chosen": "b", "rejected": "c"})";
    const std::string column = R"({"system": "Be brief.", "prompt": [{"role": "user", "content": "a"}], )" + answers + "\n";
    const std::string plain = R"({"prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a"}], )" + answers + "\n";
    const PreferenceDataset data = open(pairs_of(column + plain));
    EXPECT_EQ(text(data.prompt(0)), text(data.prompt(1)));
}

TEST_F(Preferences, IdenticalAnswersAreDroppedKeptOrRefused) {
    DataRequest wanted = pairs_of(pair("a", " b", " b") + pair("a", " b", " c"));
    const Json report = report_of(wanted);
    EXPECT_EQ(report.at("identical"), 1);
    EXPECT_EQ(report.at("dropped_identical"), 1);
    EXPECT_EQ(report.at("kept"), 1);
    wanted.on_identical = "keep";
    EXPECT_EQ(report_of(wanted).at("identical"), 1);
    EXPECT_EQ(open(wanted).rows(), 2);
    wanted.on_identical = "fail";
    EXPECT_NE(error_of(wanted).find("pairs.jsonl:1: chosen and rejected are the same tokens"), std::string::npos);
    EXPECT_NE(error_of(pairs_of(pair("a", " b", " b"))).find("nothing is left of 1 rows (1 dropped with identical answers"), std::string::npos);
}

// Cut to max_length, two answers may be one.
TEST_F(Preferences, AnswersMayBecomeIdenticalWhenTheyAreCut) {
    DataRequest wanted = pairs_of(pair("a", " b b b b b b b b c", " b b b b b b b b d") + pair("a", " b", " c"));
    EXPECT_EQ(report_of(wanted).at("identical"), 0);
    wanted.max_length = 5;
    const Json report = report_of(wanted);
    EXPECT_EQ(report.at("dropped_identical"), 1);
    EXPECT_EQ(report.at("truncated"), 1);
    EXPECT_EQ(report.at("kept"), 1);
}

TEST_F(Preferences, EmptyAnswersAreDroppedKeptOrRefused) {
    const std::string blank = R"({"prompt": [{"role": "user", "content": "a"}], "chosen": [{"role": "assistant", "content": " \n"}], )"
                              R"("rejected": [{"role": "assistant", "content": "b"}]})"
                              "\n";
    const std::string called = R"({"prompt": [{"role": "user", "content": "a"}], "chosen": [{"role": "assistant", "content": "", "tool_calls": )"
                               R"([{"type": "function", "function": {"name": "f", "arguments": {}}}]}], )"
                               R"("rejected": [{"role": "assistant", "content": "b"}]})"
                               "\n";
    const std::string no_token = R"({"prompt_ids": [5], "chosen_ids": [], "rejected_ids": [6]})"
                                 "\n";
    DataRequest wanted = pairs_of(blank + pair("a", " b", "") + no_token + pair("a", " b", " c") + called);
    Json report = report_of(wanted);
    EXPECT_EQ(report.at("empty"), 3);
    EXPECT_EQ(report.at("dropped_empty"), 3);
    EXPECT_EQ(report.at("kept"), 2);
    wanted.on_empty = "keep";
    report = report_of(wanted);
    EXPECT_EQ(report.at("empty"), 3);
    EXPECT_EQ(report.at("dropped_empty"), 1);  // no token, no probability
    EXPECT_EQ(report.at("kept"), 4);
    wanted.on_empty = "fail";
    EXPECT_NE(error_of(wanted).find("pairs.jsonl:1: an answer has no text"), std::string::npos);
}

TEST_F(Preferences, LongRowsAreCutDroppedOrRefused) {
    const std::string long_answer = pair("a", " b c d e f g h i j k l m n o p q r s t", " b"), long_prompt = pair(long_answer, " b", " c");
    DataRequest wanted = pairs_of(long_answer + long_prompt + pair("a", " b", " c"));
    wanted.max_length = 10;
    const PreferenceDataset data = open(wanted);
    ASSERT_EQ(data.rows(), 2);
    EXPECT_EQ(data.prompt(0).size() + data.chosen(0).size(), 10u);
    const DataReport& report = data.report();
    EXPECT_EQ(report.truncated, 1);
    EXPECT_EQ(report.preference->dropped_prompt, 1);
    EXPECT_EQ(report.no_end_token, 1);
    DataRequest whole = wanted;
    whole.max_length = 1000;
    const PreferenceDataset uncut = open(whole);
    EXPECT_EQ(report.tokens_cut, static_cast<std::int64_t>(uncut.chosen(0).size() - data.chosen(0).size()));
    wanted.on_overlong = "drop";
    EXPECT_EQ(report_of(wanted).at("dropped_overlong"), 2);
    wanted.on_overlong = "fail";
    EXPECT_NE(error_of(wanted).find("pairs.jsonl:1: "), std::string::npos);
}

TEST_F(Preferences, UnpairedRowsComeInTrlsOrder) {
    std::string rows;
    for (int i = 0; i < 1002; ++i) rows += pair(fmt::format("p{}", i), fmt::format(" yes {}", i), fmt::format(" no {}", i));
    rows += R"({"prompt": "q", "completion": " so", "label": "1"})"
            "\n";
    DataRequest wanted = unpaired_of(rows);
    const PreferenceDataset data = open(wanted);
    ASSERT_EQ(data.rows(), 2005);
    const auto is = [&](std::int64_t row, const std::string& prompt, const std::string& answer, bool label) {
        EXPECT_EQ(text(data.prompt(row)), prompt);
        EXPECT_EQ(text(data.completion(row)), answer + "<|im_end|>");
        EXPECT_EQ(data.label(row), label);
    };
    is(0, "p0", " yes 0", true);
    is(999, "p999", " yes 999", true);
    is(1000, "p0", " no 0", false);
    is(1999, "p999", " no 999", false);
    is(2000, "p1000", " yes 1000", true);
    is(2003, "p1000", " no 1000", false);
    EXPECT_EQ(data.report().preference->desirable, 1003);
    EXPECT_EQ(data.report().preference->undesirable, 1002);
    EXPECT_NE(report_of(pairs_of(pair("a", " b", " c"))).at("files"), data_report(data).at("files"));
}

TEST_F(Preferences, WeightsColumnsAndHeldOutRowsAreAsForOtherRows) {
    DataFile file = write("a.jsonl", R"({"question": "a", "good": " b", "bad": " c"})"
                                     "\n");
    file.columns = {{"prompt", "question"}, {"chosen", "good"}, {"rejected", "bad"}};
    file.weight = 2;
    DataRequest wanted = request({file});
    wanted.kind = RowKind::pairs;
    const PreferenceDataset twice = open(wanted);
    ASSERT_EQ(twice.rows(), 2);
    EXPECT_EQ(text(twice.rejected(1)), " c<|im_end|>");
    std::string rows;
    for (int i = 0; i < 50; ++i) rows += pair(fmt::format("p{}", i), " b", " c");
    wanted = pairs_of(rows);
    wanted.val_size = 0.2;
    std::set<std::string> prompts;
    const auto add = [&](const PreferenceDataset& data) {
        for (std::int64_t row = 0; row < data.rows(); ++row) prompts.insert(text(data.prompt(row)));
        return data.rows();
    };
    EXPECT_EQ(add(open(wanted)), 40);
    wanted.role = "eval";
    EXPECT_EQ(add(open(wanted)), 10);
    EXPECT_EQ(prompts.size(), 50u);
}

TEST_F(Preferences, RowsThatCannotBeReadNameTheirPlace) {
    const auto refused = [&](const std::string& row, const std::string& part, RowKind kind = RowKind::pairs) {
        DataRequest wanted = pairs_of("\n" + row + "\n");
        wanted.kind = kind;
        const std::string error = error_of(wanted);
        EXPECT_NE(error.find("pairs.jsonl:2: "), std::string::npos) << error;
        EXPECT_NE(error.find(part), std::string::npos) << error;
    };
    refused(R"({"prompt": "a", "chosen": null, "rejected": "b"})", "found fields prompt, chosen (null), rejected");
    refused(R"({"prompt": "a", "completion": "b"})", "no known kind of preference row");
    refused(R"({"prompt": "a", "completion": "b", "label": true})", "which only kto learns from");
    refused(R"({"prompt": "a", "completion": "b", "label": 2})", "'label' is 2, expected true or false", RowKind::unpaired);
    refused(R"({"prompt": "a", "completion": "b"})", "or for kto prompt + completion + label", RowKind::unpaired);
    refused(R"({"prompt": 3, "chosen": "a", "rejected": "b"})", "'prompt' is number");
    refused(R"({"prompt": "a", "chosen": 3, "rejected": "b"})", "'chosen' is number");
    refused(R"({"chosen": "a", "rejected": [{"role": "user", "content": "a"}]})", "expected two strings or two lists of messages");
    refused(R"({"chosen": [{"role": "user", "content": "a"}], "rejected": [{"role": "user", "content": "b"}]})", "do not begin with the same");
    refused(R"({"prompt": [{"role": "user"}], "chosen": "a", "rejected": "b"})", "prompt[0] has no 'content'");
    refused(R"({"prompt": "a", "chosen": [3], "rejected": [4]})", "chosen[0] has no 'role'");
    refused(R"({"prompt": [{"from": "narrator", "value": "a"}], "chosen": "b", "rejected": "c"})", "from 'narrator' is not known");
    refused(R"({"conversations": 3, "chosen": "b", "rejected": "c"})", "expected a list of messages");
    refused(R"({"prompt_ids": [1], "chosen_ids": [2], "rejected_ids": ["x"]})", "'rejected_ids'[0] is \"x\", expected a token id");
    refused(R"({"prompt_ids": [1], "chosen_ids": [-100], "rejected_ids": [3]})", "'chosen_ids'[0] is -100, expected a token id");
    refused(R"({"chosen_ids": [2], "rejected_ids": [3]})", "field 'prompt_ids' is missing");
    refused(R"({"messages": [{"role": "user", "content": "a"}], "label": true})", "expected a prompt and the assistant's answer", RowKind::unpaired);
}

TEST_F(Preferences, ALabelledConversationEndsInItsAnswer) {
    const std::string turns =
        R"([{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}, {"from": "human", "value": "c"}, {"from": "gpt", "value": "d"}])";
    const PreferenceDataset data =
        open(unpaired_of("{\"conversations\": " + turns + ", \"label\": true}\n{\"completion\": " + turns + ", \"label\": 0}\n"));
    ASSERT_EQ(data.rows(), 2);
    EXPECT_EQ(text(data.prompt(0)),
              "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n");
    EXPECT_EQ(list_of(data.prompt(1)), list_of(data.prompt(0)));
    EXPECT_EQ(list_of(data.completion(1)), list_of(data.completion(0)));
    EXPECT_FALSE(data.label(1));
}

TEST_F(Preferences, FormatSaysWhereThePromptStands) {
    DataRequest wanted = pairs_of(R"({"prompt": "a", "instruction": "c", "chosen": " d", "rejected": " e"})"
                                  "\n");
    EXPECT_EQ(text(open(wanted).prompt(0)), "a");
    wanted.files[0].format = "alpaca";
    EXPECT_NE(text(open(wanted).prompt(0)).find("### Instruction:\nc\n\n### Response:\n"), std::string::npos);
    wanted.files[0].format = "messages";
    EXPECT_NE(error_of(wanted).find("format messages: field 'messages' is missing"), std::string::npos);
    wanted.files[0].format = "text";
    EXPECT_NE(error_of(wanted).find("format text has no prompt and answers"), std::string::npos);
}

TEST_F(Preferences, WhateverDecidesTokensDecidesTheHash) {
    const std::string rows = pair("a", " b", " c") + pair("a", " b", " b") + pair("a", "", " b");
    std::set<std::string> hashes;
    const auto add = [&](const std::function<void(DataRequest&)>& change) {
        DataRequest changed = pairs_of(rows);
        change(changed);
        const PreferenceDataset data = open(changed);
        EXPECT_TRUE(hashes.insert(data.hash()).second);
        EXPECT_TRUE(std::filesystem::exists(work_ / "cache" / fmt::format("tokens-{}.bin", data.hash().substr(0, 32))));
    };
    add([](auto&) {});
    add([](auto& r) { r.kind = RowKind::unpaired; });
    add([](auto& r) { r.on_identical = "keep"; });
    add([](auto& r) { r.on_empty = "keep"; });
    add([](auto& r) { r.max_length = 3; });
    add([](auto& r) { r.on_overlong = "drop"; });
    add([](auto& r) { r.chat_template = "{{ messages[0].content }}"; });
    // A cache that is damaged is written anew.
    const std::string cached = (work_ / "cache" / fmt::format("tokens-{}.bin", open(pairs_of(rows)).hash().substr(0, 32))).string();
    std::string bytes = read_file(cached);
    bytes[bytes.size() - 12] = static_cast<char>(bytes[bytes.size() - 12] ^ 1);
    std::ofstream(cached, std::ios::binary) << bytes;
    EXPECT_EQ(text(open(pairs_of(rows)).rejected(0)), " c<|im_end|>");
    EXPECT_NE(read_file(cached), bytes);
}

TEST_F(Preferences, RowsOfTokensMakeADataSet) {
    PreferenceRow row;
    row.prompt = {1, 2};
    row.answers = {{3}, {4, 5}};
    const PreferenceDataset data = PreferenceDataset::from_rows({row, row});
    EXPECT_TRUE(data.paired());
    EXPECT_EQ(data.rows(), 2);
    EXPECT_EQ(list_of(data.rejected(1)), Json({4, 5}));
    EXPECT_EQ(data.report().longest, 4);
    EXPECT_EQ(data.report().preference->longest_row, 5);
    row.answers = {{3}};
    row.label = false;
    const PreferenceDataset one = PreferenceDataset::from_rows({row});
    EXPECT_FALSE(one.paired());
    EXPECT_FALSE(one.label(0));
    EXPECT_EQ(list_of(one.completion(0)), Json({3}));
}

}  // namespace
}  // namespace temper
