#include "runs/comparison.h"

#include <cmath>
#include <fstream>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "runs/comparison_text.h"
#include "runs/data_difference.h"
#include "tests/runs/record_maker.h"
#include "tests/support/temporary_directory.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
}

// eval/ of a run with one task whose samples are 0 or 1, as lm-eval writes them.
void write_scores(const fs::path& run, const std::vector<int>& right, bool higher_is_better = true, const std::string& salt = "") {
    std::string samples;
    double sum = 0;
    for (std::size_t i = 0; i < right.size(); ++i) {
        samples +=
            Json{{"doc_id", i}, {"doc_hash", "h" + std::to_string(i) + salt}, {"filter", "none"}, {"acc", static_cast<double>(right[i])}}.dump() +
            "\n";
        sum += right[i];
    }
    write(run / "eval" / "samples_quiz.jsonl", samples);
    const Json results{{"results", {{"quiz", {{"acc,none", sum / static_cast<double>(right.size())}, {"acc_stderr,none", 0.01}}}}},
                       {"higher_is_better", {{"quiz", {{"acc", higher_is_better}}}}},
                       {"group_subtasks", Json::object()}};
    write(run / "eval" / "results.json", results.dump());
}

ListedRun run_with(const fs::path& folder, const char* name, const Json& members = Json::object()) {
    return read_run(make_record(folder, name, members));
}

TEST(Comparison, SaysWhichIsBetterByHowMuchAndHowCertainly) {
    TemporaryDirectory temporary;
    const ListedRun a = run_with(temporary.path(), "a"), b = run_with(temporary.path(), "b");
    std::vector<int> base(200), better(200), noise(200);
    for (std::size_t i = 0; i < 200; ++i) {
        base[i] = i % 2 == 0;
        better[i] = base[i] || i % 10 == 1;                      // 20 more are right, none is lost
        noise[i] = i % 20 == 0 ? 0 : i % 20 == 1 ? 1 : base[i];  // 10 won, 10 lost
    }
    write_scores(a.path, base);
    write_scores(b.path, better);
    const Json scores = compare_scores(a.path, b.path, {});
    ASSERT_EQ(scores.size(), 1u);  // the standard error is no score
    EXPECT_EQ(scores[0]["name"], "quiz/acc,none");
    EXPECT_NEAR(scores[0]["difference"].get<double>(), 0.1, 1e-12);
    EXPECT_EQ(scores[0]["better"], "b");
    EXPECT_EQ(scores[0]["samples"], 200);
    EXPECT_LT(scores[0]["p"].get<double>(), 0.001);
    EXPECT_TRUE(scores[0]["certain"].get<bool>());
    // The standard error of 20 ones among 200 is 0.0213.
    EXPECT_NEAR(scores[0]["low"].get<double>(), 0.1 - 1.96 * 0.0213, 0.008);
    EXPECT_NEAR(scores[0]["high"].get<double>(), 0.1 + 1.96 * 0.0213, 0.008);
    write_scores(b.path, noise);
    EXPECT_GT(compare_scores(a.path, b.path, {})[0]["p"].get<double>(), 0.5);
    EXPECT_FALSE(compare_scores(a.path, b.path, {})[0]["certain"].get<bool>());
    write_scores(b.path, better, true, "other documents");
    EXPECT_FALSE(compare_scores(a.path, b.path, {})[0].contains("p"));
    write_scores(a.path, base, false);
    EXPECT_EQ(compare_scores(a.path, b.path, {})[0]["better"], "a");
}

// Two samples that both turn out alike are no proof; forty are.
TEST(Comparison, OfSamplesThatAllDifferAlike) {
    TemporaryDirectory temporary;
    const ListedRun a = run_with(temporary.path(), "a"), b = run_with(temporary.path(), "b");
    for (const auto& [count, certain] : {std::pair<std::size_t, bool>{2, false}, {40, true}}) {
        write_scores(a.path, std::vector<int>(count, 0));
        write_scores(b.path, std::vector<int>(count, 1));
        EXPECT_EQ(compare_scores(a.path, b.path, {})[0]["certain"], certain) << count;
    }
}

// One figure with samples of its own under the name of the task "quiz".
Json score_of(const fs::path& a, const fs::path& b, const std::string& metric, const std::vector<Json>& values_a, const std::vector<Json>& values_b,
              double figure_a, double figure_b) {
    const auto put = [&](const fs::path& run, const std::vector<Json>& values, double figure) {
        std::string samples;
        for (std::size_t i = 0; i < values.size(); ++i)
            samples += Json{{"doc_id", i}, {"doc_hash", std::to_string(i)}, {metric, values[i]}}.dump() + "\n";
        write(run / "eval" / "samples_quiz.jsonl", samples);
        write(run / "eval" / "results.json", Json{{"results", {{"quiz", {{metric + ",none", figure}}}}}}.dump());
    };
    put(a, values_a, figure_a);
    put(b, values_b, figure_b);
    return compare_scores(a, b, {})[0];
}

// Intervals are of the difference that is shown: a perplexity's in its own units, of bleu none, and none where documents differ.
TEST(Comparison, ACertaintyIsOfTheFigureItStandsBeside) {
    TemporaryDirectory temporary;
    const fs::path a = run_with(temporary.path(), "a").path, b = run_with(temporary.path(), "b").path;
    std::vector<Json> low, high, pairs_low, pairs_high;
    double sum_low = 0, sum_high = 0;
    for (int i = 0; i < 60; ++i) {
        low.push_back(-2.0 - 0.01 * i), high.push_back(-1.5 - 0.012 * i);
        pairs_low.push_back({low.back(), 2}), pairs_high.push_back({high.back(), 2});
        sum_low += low.back().get<double>(), sum_high += high.back().get<double>();
    }
    const double before = std::exp(-sum_low / 60), after = std::exp(-sum_high / 60);
    const Json perplexity = score_of(a, b, "perplexity", low, high, before, after);
    EXPECT_EQ(perplexity["better"], "b");
    EXPECT_NEAR(perplexity["mean_difference"].get<double>(), after - before, 1e-9);
    EXPECT_LT(perplexity["low"].get<double>(), after - before);
    EXPECT_GT(perplexity["high"].get<double>(), after - before);
    EXPECT_LT(perplexity["high"].get<double>(), 0.0);
    EXPECT_EQ(perplexity["certain"], true);
    const Json of_words = score_of(a, b, "word_perplexity", pairs_low, pairs_high, std::sqrt(before), std::sqrt(after));
    EXPECT_NEAR(of_words["mean_difference"].get<double>(), std::sqrt(after) - std::sqrt(before), 1e-9);
    const Json bleu = score_of(a, b, "bleu", std::vector<Json>(60, 40.0), std::vector<Json>(60, 10.0), 20.0, 28.33);
    EXPECT_EQ(bleu["better"], "b");
    EXPECT_FALSE(bleu.contains("p"));
    EXPECT_EQ(bleu["note"], "the figure is not the mean of its samples' values, and cannot be tested by them");
    const Json fewer = score_of(a, b, "acc", std::vector<Json>(9, 1.0), std::vector<Json>(8, 1.0), 1.0, 1.0);
    EXPECT_EQ(fewer["note"], "8 samples, a has 9: compare on the same documents");
}

TEST(Comparison, FindsTheEvaluationOfATrainingRun) {
    TemporaryDirectory temporary;
    const ListedRun base = run_with(temporary.path(), "base"), trained = run_with(temporary.path(), "trained");
    EXPECT_EQ(scored_run(trained), fs::path());
    const std::string id = trained.path.filename().string();
    const fs::path child = make_record(temporary.path(), "child", {{"parent_run_id", id}});
    write_scores(child, {1, 0});
    EXPECT_EQ(scored_run(trained), child);
    const std::string weights = "runs/" + id + "/adapter/adapter_model.safetensors";
    const Json evaluated{{"config", {{"adapter", "runs/" + id + "/adapter"}}},
                         {"data", {{{"role", "adapter"}, {"path", weights}, {"sha256", std::string(64, 'a')}, {"rows", nullptr}}}}};
    const fs::path older = make_record(temporary.path(), "older", evaluated);
    write_scores(older, {1, 0});
    const fs::path newer = make_record(temporary.path(), "newer", evaluated);
    EXPECT_EQ(scored_run(trained), older);  // the newer one has no scores
    write_scores(newer, {1, 1});
    EXPECT_EQ(scored_run(trained), newer);
    write_scores(base.path, {0, 0});
    const Json comparison = compare_runs(base, trained, {});
    EXPECT_EQ(comparison["scores"][0]["difference"], 1.0);
    EXPECT_EQ(comparison["b"]["scored"], newer.string());
}

Json entry(const fs::path& path, const std::string& role = "train") {
    return {{"role", role}, {"path", path.string()}, {"sha256", sha256_file(path)}, {"rows", 3}};
}

TEST(Comparison, CountsRowsThatDiffer) {
    TemporaryDirectory temporary;
    const fs::path a = temporary.path() / "a" / "rows.jsonl", b = temporary.path() / "b" / "rows.jsonl";
    write(a, "{\"id\":1,\"text\":\"one\"}\n{\"id\":2,\"text\":\"two\"}\n{\"id\":3,\"text\":\"three\"}\n{\"id\":3,\"text\":\"three\"}\n");
    write(b, "{\"text\":\"three\",\"id\":3}\n{\"id\":2,\"text\":\"TWO\"}\n{\"id\":4,\"text\":\"four\"}\n{\"id\":5,\"text\":\"five\"}\n");
    const Json rows = data_difference(a, b, 1);
    EXPECT_EQ(rows["added"], 2);    // 4 and 5
    EXPECT_EQ(rows["removed"], 2);  // 1, and one of the two 3s
    EXPECT_EQ(rows["changed"], 1);
    ASSERT_EQ(rows["examples"].size(), 3u);
    for (const Json& example : rows["examples"])
        if (example["what"] == "changed") {
            EXPECT_EQ(example["a"], R"({"id":2,"text":"two"})");
            EXPECT_EQ(example["b"], R"({"id":2,"text":"TWO"})");
        }
    EXPECT_EQ(data_difference(a, a, 1)["examples"].size(), 0u);
    // Without an id the prompt, or all messages but the last, name a row.
    write(a,
          "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"x\"}]}\n{\"prompt\":\"p\",\"completion\":\"1\"}"
          "\n");
    write(b,
          "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"y\"}]}\n{\"prompt\":\"p\",\"completion\":\"2\"}"
          "\n");
    EXPECT_EQ(data_difference(a, b, 0)["changed"], 2);
}

TEST(Comparison, ExamplesAreCutBetweenCharacters) {
    TemporaryDirectory temporary;
    const fs::path a = temporary.path() / "a.jsonl", b = temporary.path() / "b.jsonl";
    std::string umlauts;
    for (int i = 0; i < 2000; ++i) umlauts += "ä";
    write(a, Json{{"id", 1}, {"text", umlauts + "x" + umlauts}}.dump() + "\n");
    write(b, Json{{"id", 1}, {"text", umlauts + "y" + umlauts}}.dump() + "\n");
    const Json example = data_difference(a, b, 1)["examples"][0];
    for (const char* name : {"a", "b"}) {
        const std::string text = example[name].get<std::string>();
        EXPECT_EQ(find_invalid_utf8(text), std::string::npos);
        EXPECT_LT(text.size(), 320u);
        EXPECT_NE(text.find(name[0] == 'a' ? 'x' : 'y'), std::string::npos) << text;  // the place where they part is shown
    }
}

TEST(Comparison, OfDataFilesTellsWhatItCanTell) {
    TemporaryDirectory temporary;
    const fs::path a = temporary.path() / "a" / "rows.jsonl", b = temporary.path() / "b" / "rows.jsonl", gone = temporary.path() / "gone.jsonl";
    write(a, "{\"id\":1}\n{\"id\":2}\n");
    write(b, "{\"id\":2}\n{\"id\":1}\n");
    write(gone, "{\"id\":9}\n");
    Json left{{"data", {entry(a), entry(gone, "eval")}}}, right{{"data", {entry(b), entry(a, "extra")}}};
    fs::remove(gone);
    const Json data = compare_data(left, right, {});
    ASSERT_EQ(data.size(), 3u);
    EXPECT_EQ(data[0]["note"], "the same rows, written differently");
    EXPECT_EQ(data[1]["role"], "eval");
    EXPECT_TRUE(data[1]["b"].is_null());
    EXPECT_EQ(data[2]["role"], "extra");
    EXPECT_TRUE(data[2]["a"].is_null());
    write(b, "{\"id\":7}\n");  // since the run
    EXPECT_NE(compare_data(left, right, {})[0]["note"].get<std::string>().find("not the file that was read"), std::string::npos);
    EXPECT_TRUE(compare_data(left, left, {}).empty());
}

TEST(Comparison, NamesSettingsKernelsAndEnvironmentThatDiffer) {
    TemporaryDirectory temporary;
    const Json config{{"lora", {{"r", 8}, {"alpha", 16}}}, {"model", "m"}};
    Json other = config;
    other["lora"]["r"] = 16;
    other["extra"] = true;
    const Json environment{{"isa", "avx2"}, {"host", "one"}, {"versions", {{"temper", "0.1"}}}, {"threads", 2}};
    Json elsewhere = environment;
    elsewhere["isa"] = "avx512";
    elsewhere["host"] = "two";
    const ListedRun a = run_with(temporary.path(), "a",
                                 {{"config", config}, {"environment", environment}, {"metrics", {{"loss", 0.5}, {"eval_acc", 0.5}, {"same", 1}}}});
    const ListedRun b = run_with(temporary.path(), "b",
                                 {{"config", other}, {"environment", elsewhere}, {"metrics", {{"loss", 0.25}, {"eval_acc", 0.25}, {"same", 1}}}});
    const Json comparison = compare_runs(a, b, {});
    EXPECT_EQ(comparison["settings"], Json::parse(R"([{"name":"extra","a":null,"b":true},{"name":"lora.r","a":8,"b":16}])"));
    EXPECT_EQ(comparison["kernels"], Json::parse(R"([{"name":"isa","a":"avx2","b":"avx512"}])"));
    EXPECT_EQ(comparison["environment"], Json::parse(R"([{"name":"host","a":"one","b":"two"}])"));
    ASSERT_EQ(comparison["metrics"].size(), 2u);
    EXPECT_EQ(comparison["metrics"][0]["better"], "a");  // eval_acc
    EXPECT_EQ(comparison["metrics"][1]["better"], "b");  // loss
    const std::string text = comparison_text(comparison);
    EXPECT_NE(text.find("no scores: " + a.path.filename().string() + " has no evaluation"), std::string::npos) << text;
    EXPECT_NE(text.find("lora.r: 8 -> 16"), std::string::npos) << text;
    const std::string page = comparison_page(comparison, {{{"step", 1}, {"loss", 1.0}}, {{"step", 2}, {"loss", 0.5}}}, {});
    EXPECT_NE(page.find("<svg"), std::string::npos);
    EXPECT_EQ(page.find("http"), std::string::npos);  // nothing comes from elsewhere
}

TEST(Comparison, EscapesWhatCameFromFiles) {
    TemporaryDirectory temporary;
    const ListedRun a = run_with(temporary.path(), "a", {{"config", {{"x<script>", "</main><script>alert(1)</script>"}}}});
    const ListedRun b = run_with(temporary.path(), "b");
    const std::string page = comparison_page(compare_runs(a, b, {}), {}, {});
    EXPECT_EQ(page.find("<script"), std::string::npos);
    EXPECT_NE(page.find("&lt;script"), std::string::npos);
}

}  // namespace
}  // namespace temper
