// ROUGE, BLEU, chrF and TER against rouge-score and sacrebleu. TEMPER_TEXT_METRICS names a folder of more rows.
#include "eval/text_metric.h"

#include <cmath>
#include <cstdlib>

#include <gtest/gtest.h>

#include "eval/porter_stemmer.h"
#include "eval/row_statistics.h"
#include "io/durable.h"
#include "io/jsonl.h"
#include "kernels/error.h"

namespace temper {
namespace {

std::string folder() {
    const char* const other = std::getenv("TEMPER_TEXT_METRICS");
    return other != nullptr ? other : std::string(TEMPER_SOURCE_DIR) + "/tests/goldens/text_metrics";
}

Json corpus() { return parse_json(read_file(folder() + "/corpus.json"), "corpus.json"); }

TextRow text_row(const Json& row) { return {row.at("prediction").get<std::string>(), row.at("reference").get<std::vector<std::string>>(), "row"}; }

std::unique_ptr<TextMetric> metric_of(const std::string& name, const MetricOptions& options = {}) {
    const std::vector<std::string> names{name};
    return std::move(make_metrics(names, options)[0]);
}

double row_value(const TextMetric& metric, const TextRow& row) {
    std::vector<double> statistics(metric.width());
    metric.statistics(row, statistics.data());
    return metric.row_value(statistics.data());
}

void expect_near(double found, double expected, double tolerance, const std::string& what) {
    EXPECT_TRUE(std::abs(found - expected) <= tolerance) << what << ": " << found << ", expected " << expected;
}

TEST(TextMetric, RougeIsThatOfRougeScore) {
    const Json golden = corpus();
    const double tolerance = golden["tolerance"]["rouge"].get<double>();
    for (const bool stemmer : {false, true}) {
        MetricOptions options;
        options.stemmer = stemmer;
        for (std::size_t i = 0; i < golden["rouge"].size(); ++i) {
            const std::string name = golden["rouge"][i].get<std::string>();
            const auto precision = metric_of(name + "_precision", options), recall = metric_of(name + "_recall", options),
                       f1 = metric_of(name, options);
            JsonlReader rows(folder() + "/rows.jsonl");
            std::int64_t count = 0;
            for (Json row; rows.next(row); ++count) {
                const Json& expected = row[stemmer ? "rouge_stem" : "rouge"][i];
                const std::string what = name + " of " + row.dump();
                expect_near(row_value(*precision, text_row(row)), expected[0].get<double>(), tolerance, "precision, " + what);
                expect_near(row_value(*recall, text_row(row)), expected[1].get<double>(), tolerance, "recall, " + what);
                expect_near(row_value(*f1, text_row(row)), expected[2].get<double>(), tolerance, what);
            }
            EXPECT_GE(count, 200);
        }
    }
}

TEST(TextMetric, BleuChrfAndTerAreThoseOfSacrebleu) {
    const Json golden = corpus();
    const double tolerance = golden["tolerance"]["bleu"].get<double>();
    for (const auto& [variant, expected] : golden["corpus"].items()) {
        MetricOptions options;
        const std::size_t end = std::min(variant.find('_'), variant.size());
        const std::string how = variant.substr(std::min(end + 1, variant.size()));
        options.lowercase = how == "lc";
        if (!how.empty() && how != "lc") options.tokenizer = how;
        const auto metric = metric_of(variant.substr(0, end), options);
        RowStatistics all{metric.get(), {}};
        JsonlReader rows(folder() + "/rows.jsonl");
        for (Json row; rows.next(row);) {
            const std::size_t at = all.numbers.size();
            all.numbers.resize(at + metric->width());
            metric->statistics(text_row(row), all.numbers.data() + at);
            if (variant == "bleu" || variant == "chrf" || variant == "ter")
                expect_near(metric->row_value(all.numbers.data() + at), row["sentence_" + variant].get<double>(), tolerance,
                            variant + " of " + row.dump());
        }
        expect_near(value_of(all), expected["score"].get<double>(), tolerance, variant);
        EXPECT_EQ("nrefs:var|" + metric->signature(), expected["signature"].get<std::string>());
    }
}

TEST(TextMetric, StemsAreThoseOfNltk) {
    const Json golden = corpus();
    for (const auto& [word, stem] : golden["stems"].items()) EXPECT_EQ(porter_stem(word), stem.get<std::string>()) << word;
}

TEST(TextMetric, WordsOfAnAnswerCountWithoutArticlesAndMarks) {
    const auto f1 = metric_of("token_f1"), exact = metric_of("exact_match"), fields = metric_of("json_fields");
    EXPECT_EQ(row_value(*f1, {"The cat!", {"a cat"}, "row"}), 1.0);
    EXPECT_EQ(row_value(*f1, {"", {"the"}, "row"}), 1.0);
    EXPECT_EQ(row_value(*f1, {"", {"cat"}, "row"}), 0.0);
    EXPECT_NEAR(row_value(*f1, {"one two two", {"two three", "four"}, "row"}), 0.4, 1e-15);
    EXPECT_EQ(row_value(*exact, {" yes\n", {"no", "yes"}, "row"}), 1.0);
    EXPECT_EQ(row_value(*fields, {"{\"a\": 3.0, \"b\": 1}", {"{\"a\": 3, \"b\": 2}"}, "row"}), 0.5);
    EXPECT_EQ(row_value(*fields, {"not JSON", {"{\"a\": 3}"}, "row"}), 0.0);
    EXPECT_THROW(row_value(*fields, {"{}", {"[]"}, "row"}), Error);
    EXPECT_THROW(metric_of("rouge"), Error);
    EXPECT_THROW(metric_of("rouge1_f"), Error);
}

// By hand: relevant a (gain 3), c (1), x (2); retrieved b, a, d, c.
TEST(TextMetric, RankingsAreScoredByTheirFormulas) {
    const Json row = Json::parse(R"({"retrieved": ["b", "a", "d", "c"], "relevant": {"a": 3, "c": 1, "x": 2, "zero": 0}})");
    const TextRow text{"", {}, "row", &row};
    const auto value = [&](const char* name) { return row_value(*metric_of(name), text); };
    EXPECT_NEAR(value("recall@2"), 1.0 / 3, 1e-15);
    EXPECT_NEAR(value("recall@10"), 2.0 / 3, 1e-15);
    EXPECT_NEAR(value("precision@2"), 0.5, 1e-15);
    EXPECT_EQ(value("hit@1"), 0.0);
    EXPECT_EQ(value("hit@2"), 1.0);
    EXPECT_EQ(value("mrr"), 0.5);
    EXPECT_EQ(value("mrr@1"), 0.0);
    EXPECT_NEAR(value("map"), (0.5 + 0.5) / 3, 1e-15);
    EXPECT_NEAR(value("context_precision"), 0.5, 1e-15);
    const double best = 3.0 + 2.0 / std::log2(3.0) + 1.0 / std::log2(4.0);
    EXPECT_NEAR(value("ndcg"), (3.0 / std::log2(3.0) + 1.0 / std::log2(5.0)) / best, 1e-15);
    EXPECT_NEAR(value("ndcg@1"), 0.0, 1e-15);
    const Json nothing = Json::parse(R"({"retrieved": ["a"], "relevant": []})"),
               twice = Json::parse(R"({"retrieved": ["a", "a"], "relevant": ["a"]})");
    EXPECT_THROW(row_value(*metric_of("mrr"), {"", {}, "row", &nothing}), Error);
    EXPECT_THROW(row_value(*metric_of("mrr"), {"", {}, "row", &twice}), Error);
    EXPECT_THROW(metric_of("recall"), Error);
    EXPECT_THROW(metric_of("ndcg@0"), Error);
}

// Known spread: the mean of N numbers of variance v has a standard error of sqrt(v / N); 95% of a normal lie within 1.96 of them.
TEST(Bootstrap, IntervalsHaveTheWidthOfAMeansError) {
    const auto metric = metric_of("exact_match");
    RowStatistics rows{metric.get(), {}};
    for (int i = 0; i < 400; ++i) rows.numbers.insert(rows.numbers.end(), {i % 4 == 0 ? 1.0 : 0.0, 1.0});
    const Interval interval = confidence_interval(resample(rows, 4000, 1));
    const double error = 1.96 * std::sqrt(0.25 * 0.75 / 400);
    EXPECT_NEAR(interval.low, 0.25 - error, 0.25 * error);
    EXPECT_NEAR(interval.high, 0.25 + error, 0.25 * error);
}

TEST(Bootstrap, PairsTellADifferenceFromChance) {
    const auto metric = metric_of("exact_match");
    RowStatistics better{metric.get(), {}}, worse = better, other = better;
    for (int i = 0; i < 200; ++i) {
        better.numbers.insert(better.numbers.end(), {i % 10 < 7 ? 1.0 : 0.0, 1.0});
        worse.numbers.insert(worse.numbers.end(), {i % 10 < 5 ? 1.0 : 0.0, 1.0});
        other.numbers.insert(other.numbers.end(), {(i + 3) % 10 < 7 ? 1.0 : 0.0, 1.0});
    }
    const auto p = [](const RowStatistics& a, const RowStatistics& b) {
        return paired_p_value(resample(a, 1000, 3), resample(b, 1000, 3), value_of(a) - value_of(b));
    };
    EXPECT_LT(p(better, worse), 0.01);
    EXPECT_GT(p(better, other), 0.2);
    EXPECT_EQ(p(better, better), 1.0);
}

}  // namespace
}  // namespace temper
