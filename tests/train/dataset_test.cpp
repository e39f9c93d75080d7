// From files in every form to tokens and labels: as TRL makes them (tests/goldens/make_data_goldens.py), however the file is packed.
#include "train/dataset.h"

#include <cmath>
#include <set>

#include "io/durable.h"
#include "tests/train/data_fixture.h"

namespace temper {
namespace {

class Datasets : public DataFixture {
  protected:
    DataFile numbered(const std::string& name, int rows) const {
        std::string text;
        for (int i = 0; i < rows; ++i) text += Json{{"text", fmt::format("{} {}", name, i)}}.dump() + "\n";
        return write(name, text);
    }
    TokenDataset open(const DataRequest& request) { return TokenDataset::open(request, tokenizer_, *comm_); }
    std::vector<std::string> texts(const TokenDataset& data) const {
        std::vector<std::string> result;
        for (std::int64_t row = 0; row < data.rows(); ++row) result.push_back(tokenizer_.decode(data.ids(row), true));
        return result;
    }
    std::string error_of(const DataRequest& request) {
        return DataFixture::error_of([&] { open(request); });
    }
};

TEST_F(Datasets, EveryFormIsWhatTrlMakesOfIt) {
    const Json golden = Json::parse(read_file(goldens / "data/forms.json"));
    for (const auto& [name, test] : golden.at("cases").items()) {
        SCOPED_TRACE(name);
        std::string text;
        for (const Json& row : test.at("rows")) text += row.dump() + "\n";
        DataFile file = write(name + ".jsonl", text);
        file.format = test.value("format", "auto");
        DataRequest wanted = request({file});
        const Json settings = test.value("settings", Json::object());
        wanted.max_length = settings.value("max_length", 100000);
        wanted.completion_only_loss = settings.value("completion_only_loss", true);
        wanted.assistant_only_loss = settings.value("assistant_only_loss", false);
        if (test.contains("template")) wanted.chat_template = read_file(goldens / "templates" / test.at("template").get<std::string>());
        const TokenDataset data = open(wanted);
        const Json& expected = test.at("expected");
        ASSERT_EQ(data.rows(), static_cast<std::int64_t>(expected.size()));
        for (std::int64_t row = 0; row < data.rows(); ++row) {
            const Json& one = expected[static_cast<std::size_t>(row)];
            Json ids = Json::array(), labels = Json::array();
            for (const std::int32_t id : data.ids(row)) ids.push_back(id);
            for (std::size_t i = 0; i < ids.size(); ++i) labels.push_back(data.supervised(row)[i] != 0 ? ids[i] : Json(-100));
            EXPECT_EQ(ids, one.at("ids"));
            EXPECT_EQ(labels, one.at("labels"));
        }
    }
}

TEST_F(Datasets, TheReportNamesTheForms) {
    const TokenDataset data =
        open(request({write("a.jsonl",
                            "{\"text\": \"x y\"}\n{\"conversations\": [{\"from\": \"human\", \"value\": \"a\"}, {\"from\": \"gpt\", "
                            "\"value\": \"b\"}]}\n{\"instruction\": \"a\", \"output\": \"b\"}\n{\"text\": \"z z\"}\n")}));
    const Json file = data_report(data).at("files").at(0);
    EXPECT_EQ(file.at("format"), "JSONL");
    EXPECT_EQ(file.at("forms"), (Json{{"Alpaca as messages", 1}, {"ShareGPT", 1}, {"text", 2}}));
    EXPECT_EQ(data_report(data).at("chat_template_sha256"), sha256_hex(*tokenizer_.chat_template()));
}

TEST_F(Datasets, WeightsTakeRowsTwiceOrEveryOther) {
    DataFile twice = numbered("a", 3), half = numbered("b", 5);
    twice.weight = 2;
    half.weight = 0.5;
    EXPECT_EQ(texts(open(request({twice, half}))), (std::vector<std::string>{"a 0", "a 0", "a 1", "a 1", "a 2", "a 2", "b 1", "b 3"}));
    const Json report = data_report(open(request({twice, half})));  // from the cache
    EXPECT_EQ(report.at("rows"), 8);
    EXPECT_EQ(report.at("not_drawn"), 3);
    EXPECT_EQ(report.at("repeated"), 3);
    EXPECT_EQ(report.at("kept"), 8);
    twice.max_rows = 1;
    half.weight = 1.5;
    EXPECT_EQ(texts(open(request({twice, half}))), (std::vector<std::string>{"a 0", "a 0", "b 0", "b 1", "b 1", "b 2", "b 3", "b 3", "b 4"}));
}

TEST_F(Datasets, ColumnsNameFieldsAndThoseOfMessages) {
    DataFile file = write("a.jsonl", "{\"dialog\": [{\"speaker\": \"user\", \"said\": \"hi\"}, {\"speaker\": \"assistant\", \"said\": \"yes\"}]}\n");
    file.columns = {{"messages", "dialog"}, {"role", "speaker"}, {"content", "said"}};
    const TokenDataset mapped = open(request({file}));
    const TokenDataset plain = open(request({write("b.jsonl",
                                                   "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}, {\"role\": "
                                                   "\"assistant\", \"content\": \"yes\"}]}\n")}));
    EXPECT_EQ(texts(mapped), texts(plain));
    file.columns["tools"] = "functions";
    EXPECT_NE(error_of(request({file})).find("a.jsonl: none of 1 rows has a field 'functions', which columns maps to 'tools'"), std::string::npos);
    DataRequest sample = request({file});
    sample.sample = true;
    sample.cache_directory = work_ / "of the sample";
    EXPECT_EQ(texts(open(sample)), texts(plain));
    const std::string first = read_file(file.path);
    write("a.jsonl", first + "{\"functions\": [], " + first.substr(1));  // a row may do without
    EXPECT_EQ(open(request({file})).rows(), 2);
    file.columns = {{"text", "body"}};
    EXPECT_NE(error_of(request({file})).find("a.jsonl:1: field 'body' is missing, which columns maps to 'text'"), std::string::npos);
}

TEST_F(Datasets, FormatChoosesBetweenFieldsOfOneRow) {
    DataFile file = write("a.jsonl", "{\"instruction\": \"Say it.\", \"input\": null, \"output\": \"It.\", \"text\": \"whole\"}\n");
    EXPECT_EQ(texts(open(request({file}))).at(0), "whole");
    file.format = "alpaca";
    EXPECT_NE(texts(open(request({file}))).at(0).find("### Response:\nIt."), std::string::npos);
    file.format = "messages";
    EXPECT_NE(error_of(request({file})).find("a.jsonl:1: format messages: field 'messages' is missing"), std::string::npos);
}

// Labels that TRL gives are taken as they are; without them its masks say what is learned.
TEST_F(Datasets, MasksOfTokensSayWhatIsLearned) {
    const std::string completion = R"("completion_mask": [0, 0, 1, 1, 1])", assistant = R"("assistant_masks": [0, 1, 0, 1, 0])";
    const auto learned = [&](const std::string& masks, bool completion_only = true) {
        DataRequest wanted = request({write("tokens.jsonl", R"({"input_ids": [5, 6, 7, 8, 9], )" + masks + "}\n")});
        wanted.completion_only_loss = completion_only;
        const TokenDataset data = open(wanted);
        std::string marks;
        for (const std::uint8_t mark : data.supervised(0)) marks += mark != 0 ? '1' : '0';
        return marks;
    };
    EXPECT_EQ(learned(completion), "00111");
    EXPECT_EQ(learned(completion, false), "11111");
    EXPECT_EQ(learned(assistant, false), "01010");
    EXPECT_EQ(learned(completion + ", " + assistant), "00010");
    EXPECT_EQ(learned(R"("completion_mask": null, "assistant_masks": [true, true, false, true, true])"), "11011");
    EXPECT_EQ(learned(R"("labels": [-100, 6, 7, -100, -100], )" + completion), "01100");
}

TEST_F(Datasets, ASystemColumnGoesBeforeTheMessages) {
    const std::string turns = R"({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])";
    const std::string plain = R"({"messages": [{"role": "system", "content": "Be brief."}, )" + turns + "}\n";
    const std::string column = R"({"system": "Be brief.", "messages": [)" + turns + "}\n";
    const std::string sharegpt = R"({"system": "Be brief.", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]})";
    const std::string both = R"({"system": "Be long.", "messages": [{"role": "system", "content": "Be brief."}, )" + turns + "}\n";
    const std::vector<std::string> read = texts(open(request({write("a.jsonl", plain + column + sharegpt + "\n" + both)})));
    ASSERT_EQ(read.size(), 4u);
    for (const std::string& text : read) EXPECT_EQ(text, read[0]);
    const std::string none = R"({"messages": [)" + turns + "}\n", empty = R"({"system": "", "messages": [)" + turns + "}\n";
    const std::vector<std::string> without = texts(open(request({write("b.jsonl", none + empty)})));
    EXPECT_EQ(without[0], without[1]);
    EXPECT_NE(without[0], read[0]);
}

TEST_F(Datasets, ASystemColumnGoesBeforeAPromptOfMessages) {
    const std::string completion = R"("completion": [{"role": "assistant", "content": "b"}]})";
    const std::string column = R"({"system": "Be brief.", "prompt": [{"role": "user", "content": "a"}], )" + completion + "\n";
    const std::string plain = R"({"prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a"}], )" + completion + "\n";
    const std::vector<std::string> read = texts(open(request({write("p.jsonl", plain + column)})));
    ASSERT_EQ(read.size(), 2u);
    EXPECT_EQ(read[0], read[1]);
}

TEST_F(Datasets, ANullContentIsNoContent) {
    const std::string row = R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": null}]})";
    EXPECT_NE(error_of(request({write("n.jsonl", row)})).find("messages[1] has no 'content'"), std::string::npos);
}

// Rows that end with another token are other rows, also where both are among the model's end tokens.
TEST_F(Datasets, TheTokensOfTheBeginAndTheEndDecideTheHash) {
    const DataFile file = write("e.jsonl", R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})");
    const TemporaryDirectory directory;
    for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) directory.put(name, read_file(goldens / "tiny_chat" / name));
    const auto key = [&] { return token_cache_key(request({file}), Tokenizer::from_directory(directory.path())); };
    const std::string before = key();
    for (const char* token : {"bos_token", "eos_token"}) {
        Json config = parse_json(read_file(directory / "tokenizer_config.json"), "config");
        config[token] = config[token] == "<|im_end|>" ? "<|im_start|>" : "<|im_end|>";
        directory.put("tokenizer_config.json", config.dump());
        EXPECT_NE(key(), before) << token;
    }
}

TEST_F(Datasets, RowsThatCannotBeReadNameTheirPlace) {
    const auto refused = [&](const std::string& row, const std::string& part) {
        const std::string error = error_of(request({write("bad.jsonl", "\n" + row + "\n")}));
        EXPECT_NE(error.find("bad.jsonl:2: "), std::string::npos) << error;
        EXPECT_NE(error.find(part), std::string::npos) << error;
    };
    refused(R"({"conversations": [{"from": "narrator", "value": "a"}]})", "from 'narrator' is not known");
    refused(R"({"conversations": [{"from": "function_call", "value": "a"}]})", "tool_calls");
    refused(R"({"conversations": "hi"})", "expected a list of messages");
    refused(R"({"instruction": 3, "output": "a"})", "'instruction' is number, expected a string");
    refused(R"({"instruction": "a", "output": "a", "history": [["a"]]})", "pairs of texts");
    refused(R"({"messages": [{"role": "user", "content": "a"}], "tools": "[{"})", "tools");
    refused(R"({"input_ids": [1, 2], "labels": [1]})", "1 labels for 2 input_ids");
    refused(R"({"input_ids": [1, 2], "labels": [-100, 3]})", "expected its input_id 2 or -100");
    refused(R"({"input_ids": [1, 2.5]})", "'input_ids'[1] is 2.5, expected a token id");
    refused(R"({"input_ids": [1, 2], "completion_mask": [1]})", "1 values of completion_mask for 2 input_ids");
    refused(R"({"input_ids": [1, 2], "assistant_masks": [0, 1, 1]})", "3 values of assistant_masks for 2 input_ids");
    refused(R"({"input_ids": [1, 2], "assistant_masks": [0, 2]})", "'assistant_masks'[1] is 2, expected 0 or 1");
    refused(R"({"system": 3, "messages": [{"role": "user", "content": "a"}]})", "'system' is number, expected a string");
    refused(R"({"question": "a", "answer": "b"})", "found fields question, answer");
}

TEST_F(Datasets, AssistantOnlyNeedsMarksInTheTemplate) {
    DataRequest wanted = request({write("a.jsonl", R"({"messages": [{"role": "user", "content": "a"}]})")});
    wanted.assistant_only_loss = true;
    wanted.chat_template = "{{ messages[0].content }}";
    EXPECT_NE(error_of(wanted).find("give one that has with data.chat_template"), std::string::npos);
}

TEST_F(Datasets, HeldOutRowsAreNeverTrainedOn) {
    DataFile first = numbered("a", 40), second = numbered("b", 30);
    second.weight = 2;
    for (const double size : {0.1, 0.5, 1.0, 13.0}) {
        DataRequest train = request({first, second});
        train.val_size = size;
        train.val_seed = 42;
        DataRequest eval = train;
        eval.role = "eval";
        const std::vector<std::string> trained = texts(open(train)), held = texts(open(eval));
        EXPECT_EQ(held.size(), static_cast<std::size_t>(size < 1 ? std::ceil(size * 70) : size));
        const std::set<std::string> trained_on(trained.begin(), trained.end()), held_out(held.begin(), held.end());
        EXPECT_EQ(held_out.size(), held.size());  // a row of weight 2 is evaluated once
        for (const std::string& text : held_out) EXPECT_EQ(trained_on.count(text), 0u) << text;
        EXPECT_EQ(trained_on.size() + held_out.size(), 70u);
        EXPECT_EQ(texts(open(eval)), held);
        eval.cache_directory = work_ / "another";
        EXPECT_EQ(texts(open(eval)), held);
        eval.val_seed = 43;
        if (held.size() > 1) {
            EXPECT_NE(texts(open(eval)), held);
        }
    }
    DataRequest all = request({first});
    all.val_size = 40;
    EXPECT_NE(error_of(all).find("nothing is left to train on"), std::string::npos);
}

TEST_F(Datasets, WhateverDecidesTokensDecidesTheHash) {
    const DataFile file = write("a.jsonl", R"({"messages": [{"role": "user", "content": "a"}], "text": "b", "instruction": "c", "output": "d"})");
    std::set<std::string> hashes;
    const auto add = [&](const std::function<void(DataRequest&)>& change) {
        DataRequest changed = request({file});
        changed.files[0].weight = 4;
        change(changed);
        EXPECT_TRUE(hashes.insert(open(changed).hash()).second);
    };
    add([](auto&) {});
    add([](auto& r) { r.files[0].weight = 3; });
    add([](auto& r) { r.files[0].format = "text"; });
    add([](auto& r) { r.files[0].columns = {{"text", "output"}}; });
    add([](auto& r) { r.chat_template = "{{ messages[0].content }} and so on"; });
    add([](auto& r) { r.max_length = 5; });
    add([](auto& r) { r.completion_only_loss = false; });
    const DataFile more = numbered("more", 20);
    const auto split = [&](const char* role, std::uint64_t seed) {
        DataRequest wanted = request({more});
        wanted.val_size = 4;
        wanted.role = role;
        wanted.val_seed = seed;
        EXPECT_TRUE(hashes.insert(open(wanted).hash()).second);
    };
    split("train", 1);
    split("eval", 1);
    split("train", 2);
}

}  // namespace
}  // namespace temper
