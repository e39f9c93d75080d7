#include "runs/gate.h"

#include <cmath>
#include <fstream>
#include <limits>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "kernels/error.h"
#include "kernels/random.h"
#include "runs/gate_report.h"
#include "runs/gate_verdict.h"
#include "tests/runs/gate_maker.h"
#include "tests/support/temporary_directory.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

const fs::path goldens = fs::path(TEMPER_SOURCE_DIR) / "tests/goldens/gate";

void expect_usage(const std::string& text, const std::string& yaml) {
    TemporaryDirectory temporary;
    try {
        rules_of(temporary.path(), yaml);
        FAIL() << "expected an error with: " << text;
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::usage);
        EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
    }
}

// Results of one task in lm-eval's form: document i is right where right[i] is.
Figures evaluated(const fs::path& folder, const std::vector<bool>& right) {
    fs::create_directories(folder);
    double sum = 0.0;
    std::string lines;
    for (std::size_t i = 0; i < right.size(); ++i) {
        sum += right[i];
        lines += Json{{"doc_id", i}, {"doc_hash", std::to_string(i)}, {"filter", "none"}, {"acc", right[i] ? 1.0 : 0.0}}.dump() + "\n";
    }
    std::ofstream(folder / "samples_task.jsonl") << lines;
    std::ofstream(folder / "results.json") << Json{{"results", {{"task", {{"acc,none", sum / static_cast<double>(right.size())}}}}}}.dump();
    return read_lm_eval_figures(folder / "results.json");
}

double uniform(std::uint64_t seed, std::uint64_t trial, std::uint64_t row) { return philox(seed, trial, row)[0] / 4294967296.0; }

// 200 documents; the two models answer most of them alike.
Figures simulated(const fs::path& folder, std::uint64_t model, double accuracy, std::uint64_t trial) {
    std::vector<bool> right;
    for (std::uint64_t row = 0; row < 200; ++row) {
        const bool own = uniform(10, trial, row) < 0.4;
        right.push_back(uniform(own ? model : 9, trial, row) < accuracy);
    }
    return evaluated(folder, right);
}

TEST(GateRules, AreReadWithTheirPlaces) {
    TemporaryDirectory temporary;
    const GateRules rules = rules_of(temporary.path(),
                                     "false_alarm_rate: 0.06\nrules:\n  - {metric: a/acc, min: 0.5, not_significantly_worse: true}\n"
                                     "  - metric: b/acc\n    no_worse_by: 2%\n    not_significantly_worse: true\n"
                                     "  - {metric: c/acc, not_significantly_worse: true, level: 0.01}\n  - {metric: loss, no_worse_by: 1e-2}\n");
    ASSERT_EQ(rules.rules.size(), 4u);
    EXPECT_EQ(rules.rules[1].line, 4);
    EXPECT_DOUBLE_EQ(rules.level_of(rules.rules[0]), 0.03);  // two share the rate, the third has a level of its own
    EXPECT_DOUBLE_EQ(rules.level_of(rules.rules[2]), 0.01);
    EXPECT_TRUE(tolerance_of(rules.rules[1], "").relative);
    EXPECT_DOUBLE_EQ(tolerance_of(rules.rules[1], "").amount, 0.02);
    EXPECT_FALSE(tolerance_of(rules.rules[3], "").relative);
    expect_usage("gate.yaml:2:17: unknown key \"mni\" in rules; did you mean min?", "rules:\n  - {metric: a, mni: 1}\n");
    expect_usage("did you mean rules?", "rule:\n  - {metric: a, min: 1}\n");
    expect_usage("gate.yaml:3: a: checks nothing", "seed: 2\nrules:\n  - metric: a\n");
    expect_usage("expected an amount", "rules: [{metric: a, no_worse_by: some}]");
    expect_usage("nothing passes", "rules: [{metric: a, min: 2, max: 1}]");
    expect_usage("no rules", "seed: 1\n");
    expect_usage(
        "expected more resamples",
        "resamples: 100\nfalse_alarm_rate: 0.01\nrules: [{metric: a, not_significantly_worse: true}, {metric: b, not_significantly_worse: true}]");
    expect_usage("gate.yaml:1:26: rules.min: expected a number", "rules: [{metric: a, min: .nan}]");
}

TEST(Gate, BoundsAndTolerances) {
    TemporaryDirectory temporary;
    const Figures record = figures_of({{"task/acc,none", 0.58}, {"loss", 1.05}, {"performance.seconds", 100}});
    const Figures baseline = figures_of({{"task/acc,none", 0.60}, {"loss", 1.0}, {"performance.seconds", 90}});
    const auto passes = [&](const std::string& rule) {
        const GateResult result = run_gate(rules_of(temporary.path(), "rules: [" + rule + "]"), record, &baseline);
        EXPECT_EQ(result.checks.size(), 3u);  // the first: the record and the baseline are finished
        return result.passed();
    };
    EXPECT_TRUE(passes("{metric: task/acc, min: 0.58}"));
    EXPECT_FALSE(passes("{metric: task/acc, min: 0.5801}"));
    EXPECT_TRUE(passes("{metric: loss, max: 1.05}"));
    EXPECT_FALSE(passes("{metric: performance.seconds, max: 99.9}"));
    EXPECT_TRUE(passes("{metric: task/acc, no_worse_by: 0.02}"));  // 0.60 - 0.58 in binary is more than 0.02
    EXPECT_FALSE(passes("{metric: task/acc, no_worse_by: 0.0199}"));
    EXPECT_TRUE(passes("{metric: task/acc, no_worse_by: 3.34%}"));
    EXPECT_FALSE(passes("{metric: task/acc, no_worse_by: 3.3%}"));
    EXPECT_TRUE(passes("{metric: loss, no_worse_by: 5%}"));
    EXPECT_FALSE(passes("{metric: loss, no_worse_by: 0}"));
    EXPECT_TRUE(passes("{metric: loss, no_worse_by: 0, better: higher}"));
    EXPECT_FALSE(passes("{metric: performance.seconds, no_worse_by: 10%}"));
}

TEST(Gate, WhatIsMissingOrNotFiniteFails) {
    TemporaryDirectory temporary;
    const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
    const Figures record = figures_of({{"loss", nan}, {"acc", infinity}, {"t/m,a", 1}, {"t/m,b", 1}, {"f1", 0.5}});
    const Figures baseline = figures_of({{"f1", nan}, {"loss", 1.0}});
    const auto reason = [&](const std::string& rule) {
        const GateResult result = run_gate(rules_of(temporary.path(), "rules: [" + rule + "]"), record, &baseline);
        EXPECT_FALSE(result.checks.back().passed);
        return result.checks.back().reason;
    };
    EXPECT_EQ(reason("{metric: loss, max: 5}"), "the record: nan is not finite");
    EXPECT_EQ(reason("{metric: acc, min: 0.5}"), "the record: inf is not finite");
    EXPECT_EQ(reason("{metric: acx, min: 0.5}"), "the record has no such figure; did you mean acc?");
    EXPECT_EQ(reason("{metric: t/m, min: 0.5}"), "the record has it under several filters; name one, as in t/m,a");
    EXPECT_EQ(reason("{metric: f1, no_worse_by: 1}"), "the baseline: nan is not finite");
    EXPECT_EQ(reason("{metric: loss, required: true}"), "the record: nan is not finite");
    EXPECT_EQ(reason("{metric: f1, required: true}"), "not every sample passed");
    Figures stopped = figures_of({{"acc", 1}});
    stopped.status = "preempted";
    const GateResult result = run_gate(rules_of(temporary.path(), "rules: [{metric: acc, min: 0}]"), stopped, nullptr);
    EXPECT_FALSE(result.checks[0].passed);
    EXPECT_TRUE(result.checks[1].passed);
    EXPECT_FALSE(result.passed());
}

TEST(Gate, ComparisonsNeedABaselineAndADirection) {
    TemporaryDirectory temporary;
    const Figures record = figures_of({{"acc", 1}, {"thing", 1}});
    for (const char* rule : {"{metric: acc, no_worse_by: 1}", "{metric: acc, not_significantly_worse: true}"})
        EXPECT_THROW(run_gate(rules_of(temporary.path(), fmt::format("rules: [{}]", rule)), record, nullptr), Error);
    EXPECT_THROW(run_gate(rules_of(temporary.path(), "rules: [{metric: thing, no_worse_by: 1}]"), record, &record), Error);
    EXPECT_TRUE(run_gate(rules_of(temporary.path(), "rules: [{metric: thing, no_worse_by: 1, better: lower}]"), record, &record).passed());
}

TEST(Gate, ReadsFoldersOfLmEval) {
    const Figures first = read_figures((goldens / "lm_eval/first").string(), {}), second = read_figures((goldens / "lm_eval/second").string(), {});
    EXPECT_EQ(first.source, "lm-eval");
    EXPECT_NEAR(first.values.at("tiny_choice/acc,none"), 5.0 / 12, 1e-12);
    EXPECT_EQ(first.higher_is_better.at("tiny_word/perplexity,none"), false);
    EXPECT_EQ(first.sample_files.size(), 4u);
    EXPECT_EQ(samples_of(first, "tiny_choice/acc,none").size(), 12u);
    EXPECT_EQ(samples_of(first, "tiny_group/acc,none").size(), 18u);  // both of its tasks
    EXPECT_TRUE(samples_of(first, "tiny_group/f1,none").empty());
    TemporaryDirectory temporary;
    const GateRules rules =
        rules_of(temporary.path(),
                 "rules:\n  - {metric: tiny_choice/acc, not_significantly_worse: true}\n  - {metric: tiny_group/acc, not_significantly_worse: true}\n"
                 "  - {metric: tiny_word/perplexity, not_significantly_worse: true}\n");
    const GateResult result = run_gate(rules, second, &first);
    for (std::size_t i = 2; i < result.checks.size(); ++i) {
        EXPECT_TRUE(result.checks[i].p_value.has_value()) << result.checks[i].reason;
        EXPECT_EQ(result.checks[i].samples, i == 2 ? 12 : i == 3 ? 18 : 13);
    }
    // The mean of the differences is that of the figures; of a perplexity's, of their logarithms, in the direction of better.
    const auto& perplexity = result.checks[4];
    EXPECT_NEAR(perplexity.paired->difference, std::log(*perplexity.baseline) - std::log(*perplexity.value), 1e-9);
    EXPECT_NEAR(result.checks[2].paired->difference, *result.checks[2].value - *result.checks[2].baseline, 1e-12);
}

TEST(Gate, ReadsTheTrainersState) {
    const Figures figures = read_figures((goldens / "trainer_state.json").string(), {});
    EXPECT_EQ(figures.source, "trainer_state");
    EXPECT_EQ(figures.status, "finished");
    EXPECT_TRUE(std::isfinite(figures.values.at("eval_loss")));
    EXPECT_EQ(figures.values.at("global_step"), 3);
    TemporaryDirectory temporary;
    std::string text = read_file(goldens / "trainer_state.json");
    const std::size_t at = text.find("\"should_training_stop\": true");
    ASSERT_NE(at, std::string::npos);
    text.replace(at, 28, "\"should_training_stop\": false");
    text.replace(text.find("\"max_steps\": 3"), 14, "\"max_steps\": 9");
    const std::size_t loss = text.rfind("\"eval_loss\": ");
    text.replace(loss, text.find(',', loss) - loss, "\"eval_loss\": NaN");
    fs::create_directories(temporary.path() / "checkpoint-3");
    fs::create_directories(temporary.path() / "checkpoint-20");
    write_durable(temporary.path() / "checkpoint-3" / "trainer_state.json", read_file(goldens / "trainer_state.json"));
    write_durable(temporary.path() / "checkpoint-20" / "trainer_state.json", text);
    const Figures stopped = read_figures(temporary.path().string(), {});
    EXPECT_EQ(stopped.status, "at step 3 of 9");
    EXPECT_TRUE(std::isnan(stopped.values.at("eval_loss")));
}

TEST(Gate, ReadsTheFolderOfMlflow) {
    TemporaryDirectory temporary;
    const fs::path run = temporary.path() / "1" / "0af3";
    fs::create_directories(run / "metrics" / "eval");
    write_durable(run / "meta.yaml", "run_id: 0af3\nstatus: 3\n");
    write_durable(run / "metrics" / "loss", "1700000000000 2.5 0\n1700000000002 nan 2\n1700000000001 1.5 1\n");
    write_durable(run / "metrics" / "eval" / "acc", "1700000000000 0.25 5\n1700000000009 0.75 5\n");
    const Figures figures = read_mlflow_figures("0af3", "file://" + temporary.path().string());
    EXPECT_EQ(figures.status, "finished");
    EXPECT_EQ(figures.values.at("eval/acc"), 0.75);  // the later of one step
    EXPECT_TRUE(std::isnan(figures.values.at("loss")));
    EXPECT_EQ(read_figures(run.string(), {}).values.at("eval/acc"), 0.75);
    EXPECT_THROW(read_mlflow_figures("0af4", temporary.path()), Error);
    EXPECT_THROW(read_mlflow_figures("../0af3", temporary.path()), Error);
    write_durable(run / "metrics" / "loss", "x\n");
    EXPECT_THROW(read_mlflow_figures("0af3", temporary.path()), Error);
}

TEST(Gate, RefusesSamplesThatDoNotPair) {
    TemporaryDirectory temporary;
    const GateRules rules = rules_of(temporary.path(), "rules: [{metric: task/acc, not_significantly_worse: true}]");
    const std::vector<bool> right{true, false, true, true, false};
    const Figures ours = evaluated(temporary.path() / "ours", right);
    const auto reason = [&](const Figures& baseline) { return run_gate(rules, ours, &baseline).checks.back().reason; };
    EXPECT_EQ(reason(ours), "");
    EXPECT_EQ(reason(evaluated(temporary.path() / "fewer", {true, false, true})), "5 samples, the baseline has 3: compare on the same documents");
    EXPECT_EQ(reason(figures_of({{"task/acc,none", 0.5}})), "the baseline keeps no values of its samples");
    Figures edited = evaluated(temporary.path() / "edited", right);
    std::string text = read_file(temporary.path() / "edited" / "samples_task.jsonl");
    text.replace(text.find("\"doc_hash\":\"2\""), 14, "\"doc_hash\":\"x\"");
    write_durable(temporary.path() / "edited" / "samples_task.jsonl", text);
    EXPECT_EQ(reason(edited), "task/2 is another document in the baseline (doc_hash): evaluate it again");
    edited.values["task/acc,none"] = 0.9;
    write_durable(temporary.path() / "edited" / "samples_task.jsonl", read_file(temporary.path() / "ours" / "samples_task.jsonl"));
    EXPECT_NE(reason(edited).find("not the mean of its samples"), std::string::npos);
}

// 200 pairs of equal models: the gate stops at most as many as its rate, give or take three standard errors. A model that is truly worse by what the test says
// it can find is stopped at least as often as it says, 80%.
TEST(Gate, StopsEqualModelsAsSeldomAndWorseOnesAsOftenAsItSays) {
    TemporaryDirectory temporary;
    const GateRules rules = rules_of(temporary.path(), "resamples: 1000\nrules: [{metric: task/acc, not_significantly_worse: true}]");
    int alarms = 0, found = 0;
    double drop = 0.0;
    for (std::uint64_t trial = 0; trial < 200; ++trial) {
        const Figures theirs = simulated(temporary.path() / "theirs", 1, 0.7, trial), ours = simulated(temporary.path() / "ours", 2, 0.7, trial);
        const GateResult result = run_gate(rules, ours, &theirs);
        alarms += !result.passed();
        drop += *result.checks.back().detectable / 200.0;
    }
    EXPECT_LE(alarms, 10 + 9);
    EXPECT_GE(alarms, 2);
    for (std::uint64_t trial = 0; trial < 200; ++trial) {
        const Figures theirs = simulated(temporary.path() / "theirs", 1, 0.7, trial),
                      ours = simulated(temporary.path() / "ours", 2, 0.7 - drop, trial);
        found += !run_gate(rules, ours, &theirs).passed();
    }
    EXPECT_GE(found, 160 - 3 * 6);
}

TEST(Gate, WritesWhatCiSystemsRead) {
    TemporaryDirectory temporary;
    const GateRules rules = rules_of(temporary.path(), "rules: [{metric: acc, name: \"a|b <&> \\\"c\\\"\", min: 2}, {metric: acc, min: 0.5}]");
    const Figures record = figures_of({{"acc", 1}});
    const Json verdict = gate_verdict(run_gate(rules, record, nullptr), rules, record, nullptr);
    write_durable(temporary.path() / "verdict.json", verdict.dump(2));
    EXPECT_EQ(read_verdict(temporary.path() / "verdict.json"), verdict);
    EXPECT_EQ(verdict.at("rules").at("sha256"), sha256_file(temporary.path() / "gate.yaml"));
    const std::string junit = gate_junit(verdict), markdown = gate_markdown(verdict), table = gate_table(verdict);
    EXPECT_NE(junit.find("tests=\"3\" failures=\"1\""), std::string::npos) << junit;
    EXPECT_NE(junit.find("name=\"a|b &lt;&amp;&gt; &quot;c&quot; &gt;= 2\""), std::string::npos) << junit;
    EXPECT_NE(markdown.find("| a\\|b &lt;&amp;> \"c\" | >= 2 | 1 | - | FAIL |"), std::string::npos) << markdown;
    EXPECT_NE(table.find("gate FAILED: 1 of 3 checks"), std::string::npos) << table;
    EXPECT_EQ(gate_answer(verdict), "");
}

TEST(Gate, NamesDoNotBreakTheFormsTheyStandIn) {
    TemporaryDirectory temporary;
    const GateRules rules = rules_of(temporary.path(), R"(rules: [{metric: acc, name: "<b> `x` \uFFFE\x01 \uFFFD", min: 2}])");
    Figures record = figures_of({{"acc", 1}});
    record.path = "a`<script>`b";
    const Json verdict = gate_verdict(run_gate(rules, record, nullptr), rules, record, nullptr);
    const std::string junit = gate_junit(verdict), markdown = gate_markdown(verdict);
    EXPECT_NE(junit.find("name=\"&lt;b&gt; `x` ?? \xEF\xBF\xBD &gt;= 2\""), std::string::npos) << junit;
    EXPECT_NE(markdown.find("| &lt;b> \\`x\\` ?? \xEF\xBF\xBD |"), std::string::npos) << markdown;
    EXPECT_NE(markdown.find("`a'<script>'b` against `nothing`"), std::string::npos) << markdown;  // code, in which nothing is a tag
}

TEST(Gate, AnswersWhichIsBetterByHowMuchAndHowCertain) {
    TemporaryDirectory temporary;
    const GateRules rules = rules_of(temporary.path(), "rules: [{metric: task/acc, name: right, not_significantly_worse: true}]");
    std::vector<bool> many(100, true), few(100, true), other(100, true);
    for (std::size_t i = 0; i < 30; ++i) few[i] = false;
    for (std::size_t i = 0; i < 5; ++i) many[i] = other[i + 5] = false;
    const Figures better = evaluated(temporary.path() / "many", many), worse = evaluated(temporary.path() / "few", few),
                  alike = evaluated(temporary.path() / "other", other);
    const auto answer = [&](const Figures& record, const Figures& baseline) {
        return gate_answer(gate_verdict(run_gate(rules, record, &baseline), rules, record, &baseline));
    };
    EXPECT_TRUE(answer(better, worse).starts_with("right: better than the baseline by 0.25 (95%: +0.")) << answer(better, worse);
    EXPECT_TRUE(answer(worse, better).starts_with("right: worse than the baseline by 0.25 (95%: -0.")) << answer(worse, better);
    EXPECT_EQ(answer(better, better), "right: the same on every sample (100 samples)\n");
    EXPECT_TRUE(answer(alike, better).starts_with("right: no difference shown, +0 (95%: -0.")) << answer(alike, better);
}

}  // namespace
}  // namespace temper
