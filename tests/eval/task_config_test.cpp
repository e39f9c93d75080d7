// Task files: what is misspelt, of another type or does not fit is told with file and key, before a model is asked.
#include "eval/task_config.h"

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

const std::string choices = "task: t\noutput_type: multiple_choice\ntest_split: test\ndoc_to_text: q\ndoc_to_target: 0\ndoc_to_choice: [a, b]\n";
const std::string texts = "task: t\ntest_split: test\ndoc_to_text: q\ndoc_to_target: a\n";

class TaskConfigTest : public ::testing::Test {
  protected:
    std::string write(const std::string& name, const std::string& yaml) const { return folder_.put(name, yaml).string(); }
    TaskSet load(const std::string& yaml) const { return load_tasks({write("t.yaml", yaml)}, {}, {}); }
    TaskGeneration generation(const std::string& kwargs) const { return load(texts + "generation_kwargs: {" + kwargs + "}\n").tasks[0].generation; }
    void refused(const std::string& yaml, const std::string& part) const { EXPECT_ERROR(load(yaml), ExitCode::bad_data, "t.yaml: " + part); }

    TemporaryDirectory folder_;
};

TEST_F(TaskConfigTest, MetricsAreReadAsTheyAreMeant) {
    const auto metrics = [&](const std::string& list) { return "metric_list: " + list + "\n"; };
    refused(choices + metrics("[{metric: acc, aggregatoin: mean}]"), "metric_list: acc: aggregatoin: not known here; did you mean aggregation?");
    refused(texts + metrics("[{metric: exact_match, ignore_cas: true}]"), "metric_list: exact_match: ignore_cas: not known here; did you mean");
    refused(texts + metrics("[{metric: exact_match, regexes_to_ignore: ' .*'}]"), "metric_list: exact_match: regexes_to_ignore: expected a list");
    refused(texts + metrics("[{metric: exact_match, regexes_to_ignore: [5]}]"), "metric_list: exact_match: regexes_to_ignore: expected a list");
    refused(texts + metrics("[{metric: exact_match, regexes_to_ignore: ['(']}]"), "metric_list: exact_match: regexes_to_ignore: regular expression");
    refused(choices + metrics("[{metric: acc, higher_is_better: 'true'}]"), "metric_list: acc: higher_is_better: expected true or false, found");
    refused(choices + metrics("[{metric: acc, higher_is_better: 1}]"), "metric_list: acc: higher_is_better: expected true or false, found 1");
    refused(choices + metrics("[]"), "metric_list: expected a list of maps, found []");
    refused(choices + metrics("[{metric: acc}, {metric: acc}]"), "metric_list: acc stands there twice");
    for (const char* name : {"bleu", "perplexity", "accc"})
        refused(choices + metrics("[{metric: " + std::string(name) + "}]"), "metric_list: unknown metric '" + std::string(name) + "'");
    refused(texts + metrics("[{metric: f1}]"), "metric_list: unknown metric 'f1': known of generate_until are exact_match, bleu, chrf, chrf++");
    EXPECT_FALSE(load(choices + metrics("[{metric: acc, higher_is_better: false}]")).tasks[0].metrics[0].higher_is_better);
}

TEST_F(TaskConfigTest, AnAggregationFitsTheMetricsValues) {
    const auto metric = [&](const std::string& name, const std::string& aggregation) {
        return choices + "metric_list: [{metric: " + name + ", aggregation: " + aggregation + "}]\n";
    };
    refused(metric("brier_score", "mean"), "metric_list: brier_score: aggregation: expected brier_score, found mean");
    refused(metric("f1", "mean"), "metric_list: f1: aggregation: expected f1, matthews_corrcoef, found mean");
    refused(metric("acc", "f1"), "metric_list: acc: aggregation: expected mean, median, nanmean, found f1");
    refused(metric("acc", "maen"), "metric_list: acc: aggregation: expected mean, median, nanmean, found maen");
    EXPECT_EQ(load(metric("acc", "median")).tasks[0].metrics[0].aggregation, "median");
}

TEST_F(TaskConfigTest, GenerationTakesWhatTransformersTakes) {
    EXPECT_EQ(generation("max_new_tokens: 7, until: x, num_beams: 1, repetition_penalty: 1.0, use_cache: true").max_gen_toks, 7);
    EXPECT_EQ(generation("max_gen_toks: 9, max_new_tokens: 7").max_gen_toks, 9);
    EXPECT_EQ(generation("until: x").until, std::vector<std::string>{"x"});
    // As the reference reads it: a temperature alone draws, and without do_sample it does not.
    EXPECT_EQ(generation("temperature: 0.7, top_p: 0.9").temperature, 0.7);
    EXPECT_EQ(generation("temperature: 0.7, do_sample: false, min_p: 0.1").temperature, 0.0);
    EXPECT_EQ(generation("do_sample: true").temperature, 1.0);
    const auto bad = [&](const std::string& kwargs, const std::string& part) {
        refused(texts + "generation_kwargs: {" + kwargs + "}\n", "generation_kwargs: " + part);
    };
    bad("max_gen_tok: 3", "max_gen_tok: not known here; did you mean max_gen_toks?");
    bad("do_sampel: true", "do_sampel: not known here; did you mean do_sample?");
    bad("max_gen_toks: '4'", "max_gen_toks: expected a whole number from 1 on, found \"4\"");
    bad("temperature: hot", "temperature: expected a number from 0 on, found \"hot\"");
    bad("do_sample: 'true'", "do_sample: expected true or false, found \"true\"");
    bad("until: [3]", "until: expected a list of texts");
    bad("num_beams: 4", "num_beams: 4 is not done here: leave it out, or give 1");
    bad("max_length: 512", "max_length: 512 is not done here: leave it out");
    bad("do_sample: true, min_p: 0.1", "min_p: 0.1 is not done here");
}

TEST_F(TaskConfigTest, FiltersAreMadeBeforeAnAnswer) {
    const auto filter = [&](const std::string& steps) { return "filter_list: [{name: n, filter: [" + steps + "]}]\n"; };
    refused(texts + filter("{function: regexp}"), "filter_list: n: unknown filter 'regexp'");
    refused(texts + filter("{function: regex, regex_patern: x}"), "filter_list: n: regex: regex_patern: not known here; did you mean regex_pattern?");
    refused(texts + filter("{function: regex, regex_pattern: '('}"), "filter_list: n: regex: regular expression");
    refused(texts + filter("{function: regex, group_select: first}"), "filter_list: n: regex: group_select: expected a whole number");
    refused(texts + filter("{function: take_first_k, k: 2}"), "filter_list: n: 2 of the answers are taken, and repeats gives 1");
    refused(choices + filter("{function: lowercase}"), "filter_list: n: loglikelihoods are not filtered here");
    EXPECT_EQ(load(texts + "repeats: 2\n" + filter("{function: take_first_k, k: 2}, {function: majority_vote}")).tasks[0].filters.size(), 1u);
}

TEST_F(TaskConfigTest, AGroupNamesMetricsThatThereAre) {
    const auto group = [&](const std::string& metric) {
        write("t.yaml", choices);
        return load_tasks({write("g.yaml", "group: g\ntask: [t]\naggregate_metric_list: [" + metric + "]\n")}, {}, {});
    };
    const std::string place = "g.yaml: aggregate_metric_list: ";
    EXPECT_ERROR(group("{metric: accc}"), ExitCode::bad_data, place + "unknown metric 'accc'; did you mean acc?");
    EXPECT_ERROR(group("{metric: 5}"), ExitCode::bad_data, place + "metric: expected a text, found 5");
    EXPECT_ERROR(group("{metric: acc, weight_by_sze: true}"), ExitCode::bad_data,
                 place + "weight_by_sze: not known here; did you mean weight_by_size?");
    EXPECT_ERROR(group("{metric: acc, weight_by_size: yes please}"), ExitCode::bad_data, place + "weight_by_size: expected true or false");
    EXPECT_TRUE(group("{metric: acc, filter_list: none}").warnings.empty());
    ASSERT_EQ(group("{metric: f1}").warnings.size(), 1u);
    EXPECT_NE(group("{metric: f1}").warnings[0].find("group g has no value of f1"), std::string::npos);
    EXPECT_ERROR(load_tasks({write("g.yaml", "group: g\ntask: [g]\n")}, {}, {}), ExitCode::bad_data, "g.yaml: task: the group g holds itself");
}

TEST_F(TaskConfigTest, TwoTasksOfOneNameAreAMistake) {
    const std::string first = write("t.yaml", choices), second = write("u.yaml", choices);
    EXPECT_EQ(load_tasks({first, first, "t"}, {}, {}).tasks.size(), 1u);
    EXPECT_ERROR(load_tasks({first, second}, {}, {}), ExitCode::bad_data, "u.yaml: 't' is in " + first + " already");
}

TEST_F(TaskConfigTest, ExamplesComeFromTheSplitThatTheReferenceTakes) {
    TaskConfig config = load(choices + "num_fewshot: 1\n").tasks[0];
    EXPECT_EQ(config.examples_split(), "test");
    config.training_split = "train";
    EXPECT_EQ(config.examples_split(), "train");
    config.num_fewshot = 0;
    EXPECT_EQ(config.examples_split(), "");
}

}  // namespace
}  // namespace temper
