// Grades of an evaluation set: values over the rows that have them, intervals, differences on the same rows, and what the file may say.
#include "eval/set_results.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "eval/task_metrics.h"
#include "kernels/error.h"

namespace temper {
namespace {

class SetGradesTest : public testing::Test {
  protected:
    SetGradesTest() : folder_(std::filesystem::temp_directory_path() / ("temper-set-" + std::to_string(::getpid()))) {
        std::filesystem::create_directories(folder_);
        std::string rows;
        for (int i = 0; i < 40; ++i)
            rows += Json{{"id", i}, {"tags", {i % 4 == 0 ? "four" : "other"}}, {"prompt", "?"}, {"reference", "yes"}}.dump() + "\n";
        write("rows.jsonl", rows);
        write("set.yaml", "data: rows.jsonl\nmetrics: [exact_match, chrf]\nchecks: [{equals: 'yes'}, {name: four, words: 1, when: {tags: four}}]\n");
    }
    ~SetGradesTest() override { std::filesystem::remove_all(folder_); }

    std::filesystem::path write(const std::string& name, const std::string& text) const {
        std::ofstream(folder_ / name) << text;
        return folder_ / name;
    }
    EvaluationSet set(const std::string& name = "set.yaml", const RowFilter& filter = {}) const { return {folder_ / name, filter}; }
    // "yes" to every n-th row, "no way" to the others.
    static std::vector<SetAnswer> answers(std::size_t rows, std::size_t n) {
        std::vector<SetAnswer> answers;
        for (std::size_t i = 0; i < rows; ++i) answers.push_back({"?", i % n == 0 ? "yes" : "no way", false});
        return answers;
    }
    std::string refusal(const std::string& yaml) const {
        try {
            const EvaluationSet bad(write("bad.yaml", yaml), {});
        } catch (const Error& error) {
            return error.what();
        }
        return "";
    }

    std::filesystem::path folder_;
};

bool every(std::size_t) { return true; }

TEST_F(SetGradesTest, ValuesAreThoseOfTheRowsThatHaveThem) {
    const EvaluationSet all = set();
    EXPECT_EQ(all.settings().name, "set");
    EXPECT_EQ(all.tags(), (std::vector<std::string>{"four", "other"}));
    const SetGrades grades = grade_answers(all, answers(40, 2));
    EXPECT_EQ(estimate(*grades.find("exact_match"), every, 1000, 1)->value, 0.5);
    EXPECT_EQ(estimate(*grades.find("checks_passed"), every, 1000, 1)->value, 0.5);
    const auto four = estimate(*grades.find("check/four"), every, 1000, 1);
    EXPECT_EQ(four->rows, 10);
    EXPECT_EQ(four->value, 1.0);
    EXPECT_EQ(grades.find("check/four")->row_value(1), std::nullopt);
    EXPECT_EQ(grades.find("check/equals")->row_value(1), 0.0);
    EXPECT_FALSE(estimate(
        *grades.find("check/four"), [](std::size_t row) { return row % 4 == 1; }, 1000, 1));
    // The standard error of a share of 40 rows, and its 95% interval.
    const auto share = estimate(*grades.find("exact_match"), every, 20000, 1);
    EXPECT_NEAR(share->error, std::sqrt(0.25 / 40), 0.002);
    EXPECT_NEAR(share->interval.low, 0.5 - 1.96 * share->error, 0.03);
    EXPECT_NEAR(share->interval.high, 0.5 + 1.96 * share->error, 0.03);
}

TEST_F(SetGradesTest, DifferencesAreTakenOnTheSameRows) {
    const EvaluationSet all = set();
    const SetGrades half = grade_answers(all, answers(40, 2)), fourth = grade_answers(all, answers(40, 4));
    const auto gain = paired_difference(*half.find("exact_match"), *fourth.find("exact_match"), every, 5000, 7);
    EXPECT_EQ(gain->difference, 0.25);
    EXPECT_EQ(gain->rows, 40);
    EXPECT_LT(gain->p_value, 0.01);
    // Ten of forty rows differ, all in one direction: sd of the mean difference is sqrt(.25 * .75 / 40).
    EXPECT_NEAR(gain->interval.high - gain->interval.low, 2 * 1.96 * std::sqrt(0.25 * 0.75 / 40), 0.03);
    const auto none = paired_difference(*half.find("exact_match"), *half.find("exact_match"), every, 1000, 7);
    EXPECT_EQ(none->difference, 0.0);
    EXPECT_EQ(none->p_value, 1.0);
    // One row more is right: half of the swaps give as much, all in size. Six rows: two of 64 swaps.
    const auto first = [](std::size_t rows) { return [rows](std::size_t row) { return row < rows; }; };
    const SetGrades right = grade_answers(all, answers(40, 1)), wrong = grade_answers(all, std::vector<SetAnswer>(40, {"?", "no", false}));
    EXPECT_EQ(paired_difference(*right.find("exact_match"), *wrong.find("exact_match"), first(1), 1000, 7)->p_value, 1.0);
    EXPECT_NEAR(paired_difference(*right.find("exact_match"), *wrong.find("exact_match"), first(6), 20000, 7)->p_value, 2.0 / 64, 0.005);
    // Rows that one of them lacks are left out.
    Measure some = *fourth.find("exact_match");
    some.rows.erase(some.rows.begin(), some.rows.begin() + 8);
    some.statistics.numbers.erase(some.statistics.numbers.begin(), some.statistics.numbers.begin() + 16);
    const auto part = paired_difference(*half.find("exact_match"), some, every, 1000, 7);
    EXPECT_EQ(part->rows, 32);
    EXPECT_EQ(part->difference, 0.25);
    for (const int threads : {1, 3}) {
        const auto again = paired_difference(*half.find("exact_match"), *fourth.find("exact_match"), every, 5000, 7, threads);
        EXPECT_EQ(again->p_value, gain->p_value);
        EXPECT_EQ(again->interval.low, gain->interval.low);
    }
}

TEST_F(SetGradesTest, StandardErrorsAreTheSameOnAnyNumberOfThreads) {
    std::vector<MetricValue> values(50);
    for (std::size_t i = 0; i < values.size(); ++i) values[i].number = std::sqrt(static_cast<double>(i));
    const auto one = standard_error("median", values, 5000, 1);
    ASSERT_TRUE(one);
    EXPECT_GT(*one, 0.0);
    EXPECT_EQ(standard_error("median", values, 5000, 3), one);
}

TEST_F(SetGradesTest, FiltersTakeRowsByIdTagAndNumber) {
    EXPECT_EQ(set("set.yaml", {{"3", "8"}, {}, 0}).rows().size(), 2u);
    EXPECT_EQ(set("set.yaml", {{}, {"four"}, 0}).rows().size(), 10u);
    EXPECT_EQ(set("set.yaml", {{}, {"four"}, 3}).rows().back().id, "8");
    EXPECT_EQ(set("set.yaml", {{}, {"four"}, 3}).all_rows(), 40);
    EXPECT_THROW(set("set.yaml", {{}, {"four", "other"}, 0}), Error);
    EXPECT_NE(set().identity(), set("set.yaml", {{}, {}, 39}).identity());
}

TEST_F(SetGradesTest, SamplesAndResultsHaveTheSchema) {
    const EvaluationSet all = set();
    GradedSet graded{&all, answers(40, 2), grade_answers(all, answers(40, 2)), Json()};
    graded.grades.judges[3]["relevance"].value = 0.75;
    add_judge_measure(graded.grades, "relevance", true);
    const Json results = set_results({graded});
    EXPECT_EQ(results["rows"], Json::parse(R"({"set": {"check/four": 10, "judge/relevance": 1}})"));  // the others are of all rows
    EXPECT_EQ(results["results"]["set"]["exact_match,none"], 0.5);
    EXPECT_GT(results["results"]["set"]["exact_match_stderr,none"].get<double>(), 0.0);
    EXPECT_EQ(results["tags"]["set"]["four"]["rows"], 10);
    EXPECT_EQ(results["tags"]["set"]["four"]["metrics"]["exact_match"]["value"], 1.0);
    const std::vector<Json> samples = set_samples(graded);
    EXPECT_EQ(samples.size(), 40u);
    EXPECT_EQ(samples[1]["checks"]["equals"], "expected \"yes\", found \"no way\"");
    EXPECT_EQ(samples[1]["resps"], Json::parse(R"([["no way"]])"));
    EXPECT_EQ(samples[1]["target"], "yes");
}

TEST_F(SetGradesTest, MistakesAreToldWithTheirPlace) {
    EXPECT_NE(refusal("data: rows.jsonl\nmetrics: [exact_match]\ngeneration: {max_new_tokenz: 3}\n").find("bad.yaml:3:14"), std::string::npos);
    EXPECT_NE(refusal("data: rows.jsonl\nchecks:\n  - {sentences: many}\n").find("bad.yaml:3:17"), std::string::npos);
    EXPECT_NE(refusal("data: rows.jsonl\nchecks:\n  - {name: x}\n").find("no kind of check"), std::string::npos);
    EXPECT_NE(refusal("data: rows.jsonl\nmetrics: exact_match\njudges: [relevance]\n").find("endpoint.model"), std::string::npos);
    EXPECT_NE(refusal("data: rows.jsonl\njudges: [{kind: score}]\nendpoint: {model: m}\n").find("name and a prompt"), std::string::npos);
    EXPECT_NE(refusal("data: rows.jsonl\njudges: [relevance]\nendpoint: {model: m}\nmax_cost: 1\n").find("bad.yaml:4:1"), std::string::npos);
    EXPECT_NE(refusal("data: absent.jsonl\nmetrics: exact_match\n").find("absent.jsonl"), std::string::npos);
}

TEST_F(SetGradesTest, WhatMetricsMissInARowIsToldBeforeAnAnswer) {
    write("plain.jsonl", "{\"prompt\": \"?\", \"reference\": \"{}\"}\n{\"prompt\": \"?\"}\n");
    const auto fault = [&](const std::string& metric) {
        write("plain.yaml", "data: plain.jsonl\nmetrics: [" + metric + "]\n");
        try {
            check_rows(set("plain.yaml"));
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::bad_data);
            return std::string(error.what());
        }
        return std::string();
    };
    EXPECT_NE(fault("rouge1").find("plain.jsonl:2: metrics compare an answer with the row's 'reference'"), std::string::npos) << fault("rouge1");
    EXPECT_NE(fault("accuracy").find("plain.jsonl:2:"), std::string::npos) << fault("accuracy");
    EXPECT_NE(fault("json_fields").find("plain.jsonl:1: the reference is no JSON object"), std::string::npos) << fault("json_fields");
    EXPECT_NE(fault("recall@5").find("plain.jsonl:1: rows of rankings"), std::string::npos) << fault("recall@5");
    check_rows(set());
}

}  // namespace
}  // namespace temper
