// What a gate makes of evaluations whose figures are of some rows, of pairs of numbers, of checks and judges, or of a matrix.
#include <cmath>
#include <fstream>
#include <numbers>

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "runs/gate.h"
#include "tests/runs/gate_maker.h"
#include "tests/runs/record_maker.h"
#include "tests/support/temporary_directory.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

// results.json and samples of one set, "support", as temper eval writes them: of `rows` rows each metric's values, in order, as far as they go.
void write_set(const fs::path& folder, std::size_t rows, const std::map<std::string, std::vector<double>>& metrics) {
    fs::create_directories(folder);
    std::vector<Json> samples;
    for (std::size_t i = 0; i < rows; ++i) samples.push_back({{"doc_id", i}, {"doc_hash", std::to_string(i)}, {"filter", "none"}});
    Json results{{"n-samples", {{"support", {{"original", rows}, {"effective", rows}}}}}};
    for (const auto& [name, values] : metrics) {
        double sum = 0.0;
        for (std::size_t i = 0; i < values.size(); ++i) {
            samples[i][name] = values[i];
            sum += values[i];
        }
        results["results"]["support"][name + ",none"] = sum / static_cast<double>(values.size());
        results["higher_is_better"]["support"][name] = name != "judge/errors";
        if (values.size() < rows) results["rows"]["support"][name] = values.size();
    }
    std::ofstream lines(folder / "samples_support.jsonl");
    for (const Json& sample : samples) lines << sample.dump() << "\n";
    std::ofstream(folder / "results.json") << results.dump();
}

std::string reason_of(const std::string& rule, const Figures& record, const Figures& baseline) {
    TemporaryDirectory temporary;
    const GateResult result = run_gate(rules_of(temporary.path(), "rules: [" + rule + "]"), record, &baseline);
    EXPECT_EQ(result.checks.back().passed, result.checks.back().reason.empty());
    return result.checks.back().reason;
}

TEST(GateSamples, ChecksAndJudgesAreTestedByTheirRows) {
    TemporaryDirectory temporary;
    const std::vector<double> good(10, 1.0), bad(10, 0.0);
    write_set(temporary.path() / "good", 10, {{"check/no error words", good}, {"check/brief, or a/b", good}, {"judge/errors", bad}});
    write_set(temporary.path() / "bad", 10, {{"check/no error words", bad}, {"check/brief, or a/b", bad}, {"judge/errors", good}});
    const Figures better = read_lm_eval_figures(temporary.path() / "good" / "results.json");
    const Figures worse = read_lm_eval_figures(temporary.path() / "bad" / "results.json");
    EXPECT_EQ(better.task_of("support/check/brief, or a/b,none"), "support");
    EXPECT_TRUE(better.higher_is_better.at("support/check/brief, or a/b,none"));
    for (const char* metric : {"support/check/no error words", "\"support/check/brief, or a/b\"", "support/judge/errors"}) {
        const std::string rule = fmt::format("{{metric: {}, not_significantly_worse: true}}", metric);
        EXPECT_EQ(reason_of(rule, better, worse), "");
        EXPECT_EQ(reason_of(rule, better, better), "");
        EXPECT_EQ(reason_of(rule, worse, better).find("worse by 1 over 10 samples"), 0u) << reason_of(rule, worse, better);
    }
    const std::string required = "{metric: support/check/no error words, required: true}";
    EXPECT_EQ(reason_of(required, better, better), "");
    EXPECT_EQ(reason_of(required, worse, better), "10 of 10 samples did not pass: support/0, support/1, support/2 ...");
}

TEST(GateSamples, AJudgeOfSomeRowsJudgesNone) {
    TemporaryDirectory temporary;
    write_set(temporary.path() / "some", 12, {{"judge/relevance", {1.0, 1.0, 1.0}}, {"check/when tagged", {1.0, 1.0}}});
    const Figures record = read_lm_eval_figures(temporary.path() / "some" / "results.json");
    const std::string reason = "the record: 3 of 12 rows are judged, expected 95% of them";
    EXPECT_EQ(reason_of("{metric: support/judge/relevance, min: 0.1}", record, record), reason);
    EXPECT_EQ(reason_of("{metric: support/judge/relevance, no_worse_by: 1}", record, record), reason);
    EXPECT_EQ(reason_of("{metric: support/check/when tagged, min: 0.1}", record, record), "");  // is for some rows alone
}

TEST(GateSamples, ATolerancesBaselineIsOverAsManyDocuments) {
    TemporaryDirectory temporary;
    write_set(temporary.path() / "few", 5, {{"exact_match", std::vector<double>(5, 1.0)}});
    write_set(temporary.path() / "many", 8, {{"exact_match", std::vector<double>(8, 1.0)}});
    const Figures few = read_lm_eval_figures(temporary.path() / "few" / "results.json");
    const Figures many = read_lm_eval_figures(temporary.path() / "many" / "results.json");
    EXPECT_EQ(reason_of("{metric: support/exact_match, no_worse_by: 0}", few, many),
              "over 5 documents, the baseline over 8: evaluate both on the same documents");
    EXPECT_EQ(reason_of("{metric: support/exact_match, no_worse_by: 0}", few, few), "");
    EXPECT_EQ(reason_of("{metric: support/exact_match, min: 1}", few, many), "");
    Figures grouped = many;
    grouped.subtasks["all"] = {"support", "all"};  // a group that names itself is counted once
    EXPECT_EQ(grouped.documents_of("all"), 8);
    EXPECT_EQ(grouped.documents_of("none"), std::nullopt);
}

// Log-probabilities of texts, with their words: the perplexity is of their sums.
Figures perplexities(const fs::path& folder, const std::vector<double>& log_probabilities, double words = 10.0) {
    fs::create_directories(folder);
    double sum = 0.0, weights = 0.0;
    std::ofstream lines(folder / "samples_text.jsonl");
    for (std::size_t i = 0; i < log_probabilities.size(); ++i) {
        const double weight = words + static_cast<double>(i);
        sum += log_probabilities[i], weights += weight;
        const Json pair{log_probabilities[i], weight};
        lines << Json{{"doc_id", i}, {"word_perplexity", pair}, {"bits_per_byte", pair}, {"f1", {1, 0}}}.dump() << "\n";
    }
    const Json figures{
        {"word_perplexity,none", std::exp(-sum / weights)}, {"bits_per_byte,none", -sum / weights / std::numbers::ln2}, {"f1,none", 0.5}};
    std::ofstream(folder / "results.json") << Json{{"results", {{"text", figures}}}}.dump();
    return read_lm_eval_figures(folder / "results.json");
}

TEST(GateSamples, PerplexitiesOfTextsAreTestedByTheirSums) {
    TemporaryDirectory temporary;
    const Figures good = perplexities(temporary.path() / "a", {-20, -21, -22, -23, -24, -25, -26}),
                  bad = perplexities(temporary.path() / "b", {-21, -23, -25, -27, -29, -31, -33}),
                  longer = perplexities(temporary.path() / "c", {-20, -21, -22, -23, -24, -25, -26}, 11.0);
    for (const char* metric : {"text/word_perplexity", "text/bits_per_byte"}) {
        const std::string rule = fmt::format("{{metric: {}, not_significantly_worse: true}}", metric);
        EXPECT_EQ(reason_of(rule, good, good), "");
        EXPECT_EQ(reason_of(rule, good, bad), "");
        // 28 nats over 91 words
        EXPECT_EQ(reason_of(rule, bad, good).find("worse by 0.3077 over 7 samples, p = 0.0"), 0u) << reason_of(rule, bad, good);
        EXPECT_EQ(reason_of(rule, good, longer), "text/0 has 10 words or bytes, in the baseline 11: compare on the same documents");
    }
    EXPECT_EQ(reason_of("{metric: text/f1, not_significantly_worse: true}", good, good),
              "the figure is not the mean of its samples' values, and cannot be tested by them");
    EXPECT_EQ(reason_of("{metric: text/f1, required: true}", good, good), "not every sample passed");
}

TEST(GateSamples, TooFewTellNothing) {
    TemporaryDirectory temporary;
    const auto over = [&](std::size_t rows) {
        write_set(temporary.path(), rows, {{"exact_match", std::vector<double>(rows, 1.0)}});
        const Figures figures = read_lm_eval_figures(temporary.path() / "results.json");
        return reason_of("{metric: support/exact_match, not_significantly_worse: true}", figures, figures);
    };
    EXPECT_EQ(over(4), "too few samples: 4 tell nothing at level 0.05, expected at least 5");
    EXPECT_EQ(over(5), "");
}

// Each system's results lie in a folder of its name, with the directions that the record's numbers lack.
TEST(GateSamples, OfAMatrixHaveDirectionsAndRows) {
    TemporaryDirectory temporary;
    const auto matrix = [&](const char* name, double passed) {
        const fs::path run = make_record(temporary.path(), name, {{"metrics", {{"base/support/check/no error words,none", passed}}}});
        write_set(run / "eval" / "base", 10,
                  {{"check/no error words", std::vector<double>(10, passed)}, {"judge/errors", std::vector<double>(10, 0.5)}});
        return read_run_figures(run);
    };
    const Figures good = matrix("good", 1.0), bad = matrix("bad", 0.1);
    EXPECT_TRUE(good.higher_is_better.at("base/support/check/no error words,none"));
    EXPECT_FALSE(good.higher_is_better.at("base/support/judge/errors,none"));
    EXPECT_EQ(samples_of(good, "base/support/check/no error words,none").size(), 10u);
    EXPECT_NE(good.sha256, bad.sha256);
    EXPECT_EQ(reason_of("{metric: base/support/check/no error words, no_worse_by: 0.05}", good, bad), "");
    EXPECT_EQ(reason_of("{metric: base/support/check/no error words, no_worse_by: 0.05}", bad, good), "worse than the baseline by 0.9, 0.05 passes");
    EXPECT_NE(reason_of("{metric: base/support/check/no error words, not_significantly_worse: true}", bad, good), "");
}

TEST(GateSamples, BothSidesAreFinished) {
    TemporaryDirectory temporary;
    const Figures record = figures_of({{"acc", 1}});
    Figures baseline = record;
    const GateRules rules = rules_of(temporary.path(), "rules: [{metric: acc, no_worse_by: 0}]");
    EXPECT_TRUE(run_gate(rules, record, &baseline).passed());
    baseline.status = "at step 5 of 10";
    const GateResult result = run_gate(rules, record, &baseline);
    EXPECT_EQ(result.failed(), 1u);
    EXPECT_EQ(result.checks[1].name, "the baseline");
    EXPECT_EQ(result.checks[1].reason, "it is at step 5 of 10, expected a finished one");
}

// JSON has no NaN: what was one is null, and is not the same as missing.
TEST(GateSamples, ANullIsNoNumberButThere) {
    TemporaryDirectory temporary;
    std::ofstream(temporary.path() / "results.json") << R"({"results": {"t": {"acc,none": null, "alias": null}}})";
    std::ofstream(temporary.path() / "figures.json") << R"({"loss": null})";
    const Figures evaluated = read_lm_eval_figures(temporary.path() / "results.json");
    const Figures figures = read_json_figures(temporary.path() / "figures.json");
    EXPECT_EQ(reason_of("{metric: t/acc, min: 0}", evaluated, evaluated), "the record: nan is not finite");
    EXPECT_EQ(reason_of("{metric: t/alias, min: 0}", evaluated, evaluated).find("the record has no such figure"), 0u);
    EXPECT_EQ(reason_of("{metric: loss, max: 0}", figures, figures), "the record: nan is not finite");
}

}  // namespace
}  // namespace temper
