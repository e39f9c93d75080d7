#include "runs/run_query.h"

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "runs/run_index.h"
#include "tests/runs/record_maker.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

std::string message_of(const std::string& text) {
    try {
        compile_run_query(text);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::usage) << text;
        return error.what();
    }
    return "";
}

TEST(RunQuery, FieldsToShowAreNamedAsInConditions) {
    EXPECT_EQ(split_field_names("metrics.loss, metrics.`support/rouge1,none`,status", "--show"),
              (std::vector<std::string>{"metrics.loss", "metrics.support/rouge1,none", "status"}));
    EXPECT_EQ(split_field_names("metrics.\"a, b\",", "--show"), std::vector<std::string>{"metrics.a, b"});
    EXPECT_TRUE(split_field_names("", "--show").empty());
    for (const char* text : {"metrics.a b", ",metrics.a", "metrics.`a", "'metrics.a'", "metrics.chrf++"}) {
        try {
            split_field_names(text, "--show");
            FAIL() << text;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::usage);
            EXPECT_TRUE(std::string(error.what()).starts_with("--show: column ")) << error.what();
        }
    }
}

TEST(RunQuery, ErrorsNameTheColumn) {
    const std::pair<const char*, const char*> wrong[] = {
        {"", "column 1: found the end, expected a field"},
        {"metrics.loss <", "column 15: found the end, expected a field, a number"},
        {"metrics.loss 0.5", "column 14: found 0.5, expected = != <"},
        {"metrics.loss < 0.5 tags.a = 'b'", "column 20: found \"tags.a\", expected and, or, or the end"},
        {"(metrics.loss < 0.5", "column 20: found the end, expected )"},
        {"tags.outcome = 'success", "column 16: the text that begins here has no closing '"},
        {"tags.outcome = success", "column 16: no field \"success\""},
        {"metrcs.loss < 1", "column 1: no section \"metrcs\", did you mean metrics?"},
        {"statu = 'failed'", "column 1: no field \"statu\", did you mean status?"},
        {"metrics.loss ~ 1", "column 14: found '~'"},
        {"metrics.loss = null", "column 16: nothing equals null"},
        {"metrics.loss is 1", "column 17: found 1, expected null"},
        {"metrics.loss in ()", "column 18: found \")\", expected a field, a number"},
        {"metrics.loss in (metrics.a)", "column 18: found a field"},
        {"metrics.loss not = 1", "column 18: found \"=\", expected in or like"},
        {"metrics. = 1", "column 9: expected a name"},
        {"metrics.loss < 1.2.3", "column 16: this is no number"},
        {"tags.a like 5", "column 13: found 5, expected a text"},
        {"tags.a = '\xff'", "column 10: this text is not UTF-8"},
        {"kind; drop table runs", "column 5: found ';'"}};
    for (const auto& [text, message] : wrong) {
        const std::string found = message_of(text);
        EXPECT_NE(found.find(message), std::string::npos) << text << "\n  said " << found;
    }
    EXPECT_NE(message_of(std::string(100, '(') + "status = 'a'" + std::string(100, ')')).find("nested deeper"), std::string::npos);
    std::string many = "status = 'a'";
    for (int i = 0; i < 1000; ++i) many += " or status = 'a'";
    EXPECT_NE(message_of(many).find("comparisons"), std::string::npos);
}

TEST(RunQuery, ValuesAreParametersAndNeverSql) {
    const RunQuery query = compile_run_query("tags.a = 'x'' or 1=1 --' and metrics.`b'); drop table runs; --` > 2");
    EXPECT_EQ(query.sql.find("drop"), std::string::npos);
    EXPECT_EQ(query.sql.find("1=1"), std::string::npos);
    EXPECT_EQ(query.values[1], "x' or 1=1 --");
    EXPECT_EQ(query.fields[1].name, "metrics.b'); drop table runs; --");
}

class Answers : public testing::Test {
  protected:
    void SetUp() override {
        make_record(temporary_.path(), "a",
                    {{"kind", "sft"}, {"tags", {{"outcome", "success"}}}, {"metrics", {{"gate_failures", 1}, {"loss", 0.5}}}});
        make_record(temporary_.path(), "b",
                    {{"tags", {{"outcome", "success"}}}, {"metrics", {{"gate_failures", 0}, {"loss", 0.25}, {"arc/acc,none", 0.5}}}});
        make_record(temporary_.path(), "c", {{"tags", {{"outcome", "failure"}}}, {"config", {{"lora", {{"r", 8}}}, {"bf16", true}}}});
    }
    std::string runs(const std::string& text) {
        std::string names;
        for (const IndexedRun& run : RunIndex::open(temporary_.path()).select(compile_run_query(text), {"run_name"}))
            names += run.values[0].get<std::string>();
        return names;
    }
    TemporaryDirectory temporary_;
};

TEST_F(Answers, FollowTheLanguage) {
    const std::pair<const char*, const char*> questions[] = {{"tags.outcome='success' and metrics.gate_failures>0", "a"},
                                                             {"tags.outcome = 'success' or config.lora.r = 8", "abc"},
                                                             {"metrics.loss <= 0.25 AND NOT metrics.gate_failures > 0", "b"},
                                                             {"metrics.`arc/acc,none` >= .5", "b"},
                                                             {"metrics.\"arc/acc,none\" >= 5e-1", "b"},
                                                             {"metrics.loss is null", "c"},
                                                             {"metrics.loss is not null", "ab"},
                                                             {"run_name in ('a', 'c', 'z')", "ac"},
                                                             {"run_name not in ('a', 'c')", "b"},
                                                             {"tags.outcome like 'SUC%'", "ab"},
                                                             {"tags.outcome not like 'suc%'", "c"},
                                                             {"config.bf16 = true", "c"},
                                                             {"status = 'finished'", "abc"},
                                                             {"status <> 'finished'", ""},
                                                             {"kind = 'sft'", "a"},
                                                             {"metrics.gate_failures < metrics.loss", "b"},
                                                             {"0.3 < metrics.loss", "a"},
                                                             {"created_at > '2020-01-01'", "abc"},
                                                             {"not (run_name = 'a' or run_name = 'b')", "c"}};
    for (const auto& [text, expected] : questions) EXPECT_EQ(runs(text), expected) << text;
}

// What is missing, or of another kind, compares as false in either direction.
TEST_F(Answers, OfMissingAndUnlikeThings) {
    for (const char* text : {"metrics.none > 0", "metrics.none <= 0", "metrics.none != 0", "tags.outcome > 5", "tags.outcome != 5",
                             "metrics.loss < 'a'", "metrics.none = metrics.other", "metrics.none in (0)", "metrics.none like '%'"})
        EXPECT_EQ(runs(text), "") << text;
    EXPECT_EQ(runs("not metrics.none > 0"), "abc");
}

}  // namespace
}  // namespace temper
