#include "io/settings.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "io/jsonl.h"
#include "io/nearest.h"
#include "io/yaml.h"
#include "kernels/error.h"

namespace temper {
namespace {

struct Part {
    std::string path;
    double weight = 1;
};
struct Optimizer {
    double rate = 0.5;
    std::int64_t steps = 10;
    std::optional<double> floor;
    std::string kind = "linear";
    bool shuffle = true;
};
struct Other {
    std::int64_t steps = 1;
    std::vector<std::string> names = {"all"};
    std::vector<double> weights;
    std::map<std::string, std::int64_t> ranks;
    std::map<std::string, double> numbers;
    std::optional<std::string> start;
    std::vector<Part> parts;
};
struct Sample {
    std::string model;
    Optimizer optimizer;
    Other other;
};

template <class Visitor> void describe(Visitor& v, Part& part) {
    v("path", part.path, "File.", not_empty());
    v("weight", part.weight, "Share.", positive());
}
template <class Visitor> void describe(Visitor& v, Optimizer& o) {
    v("rate", o.rate, "Rate.", positive()).differs("0.1");
    v("steps", o.steps, "Steps.", at_least(0)).unit("steps");
    v("floor", o.floor, "Floor.", half_open(0, 1));
    v("kind", o.kind, "Kind.", one_of({"linear", "cosine"}));
    v("shuffle", o.shuffle, "Shuffle.");
}
template <class Visitor> void describe(Visitor& v, Other& o) {
    v("steps", o.steps, "Steps.");
    v("names", o.names, "Names.", not_empty());
    v("weights", o.weights, "Weights.");
    v("ranks", o.ranks, "Ranks.", at_least(1));
    v("numbers", o.numbers, "Numbers.");
    v("start", o.start, "Start.");
    v.records("parts", o.parts, "path", "Files.");
}
Fields fields_of(Sample& sample) {
    Fields fields;
    fields("model", sample.model, "Model.");
    fields.section("optimizer", sample.optimizer, "How.");
    fields.section("other", sample.other, "Rest.");
    fields.alias("speed", "optimizer.rate");
    fields.outside("ignored");
    return fields;
}

Sample read(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
    Sample sample;
    Settings settings(fields_of(sample));
    settings.apply_yaml(yaml, "run.yaml");
    for (const std::string& assignment : overrides) settings.apply_override(assignment);
    return sample;
}

std::string error_of(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
    try {
        read(yaml, overrides);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::usage);
        return error.what();
    }
    return "no error";
}

TEST(Settings, DefaultsStayWhereNothingIsSaid) {
    const Sample sample = read("# nothing\n");
    EXPECT_EQ(sample.optimizer.rate, 0.5);
    EXPECT_EQ(sample.other.names, std::vector<std::string>{"all"});
    EXPECT_EQ(read("optimizer:\n").optimizer.steps, 10);
}

TEST(Settings, EveryType) {
    const Sample sample = read(
        "model: models/a b\noptimizer: {rate: 3e-4, steps: +7, floor: .25, kind: cosine, shuffle: no}\n"
        "other:\n  names: [q, k]\n  weights: [1, 0.5]\n  ranks: {a: 2}\n  numbers: {x: 1e3}\n  start: dir\n"
        "  parts:\n    - a.jsonl\n    - {path: b.jsonl, weight: 2}\n");
    EXPECT_EQ(sample.model, "models/a b");
    EXPECT_EQ(sample.optimizer.rate, 3e-4);
    EXPECT_EQ(sample.optimizer.steps, 7);
    EXPECT_EQ(sample.optimizer.floor, 0.25);
    EXPECT_EQ(sample.optimizer.kind, "cosine");
    EXPECT_FALSE(sample.optimizer.shuffle);
    EXPECT_EQ(sample.other.names, (std::vector<std::string>{"q", "k"}));
    EXPECT_EQ(sample.other.weights, (std::vector<double>{1, 0.5}));
    EXPECT_EQ(sample.other.ranks.at("a"), 2);
    EXPECT_EQ(sample.other.numbers.at("x"), 1000);
    EXPECT_EQ(sample.other.start, "dir");
    ASSERT_EQ(sample.other.parts.size(), 2u);
    EXPECT_EQ(sample.other.parts[0].path, "a.jsonl");
    EXPECT_EQ(sample.other.parts[1].weight, 2);
}

TEST(Settings, OneValueStandsForAListOfOneAndNullForNone) {
    const Sample sample = read("other: {names: q_proj, weights: 2, parts: only.jsonl, start: null, ranks: null}\noptimizer: {floor: ~}\n");
    EXPECT_EQ(sample.other.names, std::vector<std::string>{"q_proj"});
    EXPECT_EQ(sample.other.weights, std::vector<double>{2});
    EXPECT_EQ(sample.other.parts.at(0).path, "only.jsonl");
    EXPECT_FALSE(sample.other.start);
    EXPECT_FALSE(sample.optimizer.floor);
}

TEST(Settings, WrongTypesNameFieldPlaceExpectedAndFound) {
    EXPECT_EQ(error_of("optimizer:\n  rate: fast\n"), "run.yaml:2:9: optimizer.rate: expected a number > 0, found text \"fast\"");
    EXPECT_EQ(error_of("optimizer:\n  rate: -1\n"), "run.yaml:2:9: optimizer.rate: expected a number > 0, found the number -1");
    EXPECT_EQ(error_of("optimizer: {rate: .nan}"), "run.yaml:1:19: optimizer.rate: expected a number > 0, found text \".nan\"");
    EXPECT_EQ(error_of("optimizer: {rate: inf}"), "run.yaml:1:19: optimizer.rate: expected a number > 0, found text \"inf\"");
    EXPECT_EQ(error_of("optimizer: {steps: 1.5}"), "run.yaml:1:20: optimizer.steps: expected a whole number >= 0, found the number 1.5");
    EXPECT_EQ(error_of("optimizer: {steps: \"5\"}"), "run.yaml:1:20: optimizer.steps: expected a whole number >= 0, found text \"5\"");
    EXPECT_EQ(error_of("optimizer: {steps: 99999999999999999999}"),
              "run.yaml:1:20: optimizer.steps: expected a whole number of 64 bits, found the number 99999999999999999999");
    EXPECT_EQ(error_of("optimizer: {shuffle: 1}"), "run.yaml:1:22: optimizer.shuffle: expected true or false, found the number 1");
    EXPECT_EQ(error_of("optimizer: {floor: 1}"), "run.yaml:1:20: optimizer.floor: expected a number in [0, 1), found the number 1");
    EXPECT_EQ(error_of("optimizer: {kind: cosin}"),
              "run.yaml:1:19: optimizer.kind: expected one of linear, cosine; did you mean cosine?, found text \"cosin\"");
    EXPECT_EQ(error_of("model: [a]"), "run.yaml:1:8: model: expected text, found a list of 1");
    EXPECT_EQ(error_of("model:"), "run.yaml:1:1: model: expected text, found null");
    EXPECT_EQ(error_of("other: {ranks: {a: 0}}"), "run.yaml:1:20: other.ranks: expected a whole number >= 1, found the number 0");
    EXPECT_EQ(error_of("other: {names: ['']}"), "run.yaml:1:17: other.names: expected text that is not empty, found text \"\"");
    EXPECT_EQ(error_of("optimizer: 3"), "run.yaml:1:1: optimizer: expected a map of settings, found the number 3");
    EXPECT_EQ(error_of("- a"), "run.yaml:1:1: expected \"key: value\" lines, found a list of 1");
}

TEST(Settings, RecordsNameTheirFields) {
    EXPECT_EQ(error_of("other:\n  parts: [{path: a, weigth: 2}]"), "run.yaml:2:21: unknown key \"weigth\" in other.parts; did you mean weight?");
    EXPECT_EQ(error_of("other: {parts: [{weight: 2}]}"), "run.yaml:1:17: other.parts: expected a map with path, found a map of 1");
    EXPECT_EQ(error_of("other: {parts: [{path: a, weight: 0}]}"), "run.yaml:1:35: other.parts.weight: expected a number > 0, found the number 0");
}

TEST(Settings, UnknownKeysNameTheNearest) {
    EXPECT_EQ(error_of("optimizer:\n  raet: 1\n"), "run.yaml:2:3: unknown key \"raet\" in optimizer; did you mean optimizer.rate?");
    EXPECT_EQ(error_of("optmizer: {}\n"), "run.yaml:1:1: unknown key \"optmizer\"; did you mean optimizer?");
    EXPECT_EQ(error_of("optimizer: {ranks: {}}\n"), "run.yaml:1:13: unknown key \"ranks\" in optimizer; did you mean other.ranks?");
    EXPECT_EQ(error_of("shufle: true\n"), "run.yaml:1:1: unknown key \"shufle\"; did you mean optimizer.shuffle?");
    EXPECT_EQ(error_of("sped: 1\n"), "run.yaml:1:1: unknown key \"sped\"; did you mean speed (recorded as optimizer.rate)?");
    EXPECT_EQ(error_of("zzzzzzzz: 1\n"), "run.yaml:1:1: unknown key \"zzzzzzzz\"; known are model, optimizer, other");
    EXPECT_EQ(error_of("", {"optimizer.rte=1"}), "command line: optimizer.rte=1: unknown key \"optimizer.rte\"; did you mean optimizer.rate?");
}

TEST(Settings, OverridesByPathOrUniqueName) {
    const Sample sample =
        read("optimizer: {rate: 1}\n", {"optimizer.rate=3e-4", "shuffle=false", "names=[a, b]", "parts=[{path: x}]", "floor=", "rate=2"});
    EXPECT_EQ(sample.optimizer.rate, 2);  // the last one wins
    EXPECT_FALSE(sample.optimizer.shuffle);
    EXPECT_EQ(sample.other.names.size(), 2u);
    EXPECT_EQ(sample.other.parts.at(0).path, "x");
    EXPECT_EQ(error_of("", {"steps=1"}), "command line: steps=1: \"steps\" is ambiguous: optimizer.steps, other.steps; give the full path");
    EXPECT_EQ(error_of("", {"rate=fast"}), "command line: rate=fast: optimizer.rate: expected a number > 0, found text \"fast\"");
    EXPECT_EQ(error_of("", {"rate"}), "command line: expected key=value, found \"rate\"");
    EXPECT_EQ(error_of("", {"=1"}), "command line: expected key=value, found \"=1\"");
}

TEST(Settings, AliasesAreRecordedUnderTheirField) {
    Sample sample;
    Settings settings(fields_of(sample));
    settings.apply_yaml("speed: 0.25\nshuffle: false\nignored: 7\n", "run.yaml");
    EXPECT_EQ(sample.optimizer.rate, 0.25);
    EXPECT_FALSE(sample.optimizer.shuffle);
    ASSERT_EQ(settings.notes().size(), 1u);
    EXPECT_EQ(settings.notes()[0], "run.yaml:1:1: speed is recorded as optimizer.rate");
    EXPECT_EQ(settings.key_of("optimizer.rate"), "speed");
    EXPECT_EQ(settings.where("optimizer.rate"), "run.yaml:1:1");
    EXPECT_EQ(settings.where("model"), "the default");
    EXPECT_EQ(settings.outside().at("ignored").text, "7");
    EXPECT_EQ(error_of("speed: 1\noptimizer: {rate: 2}\n"), "run.yaml:2:13: optimizer.rate is given twice: as rate here, as speed at run.yaml:1:1");
}

TEST(Settings, EnvironmentStandsBetweenFileAndOverrides) {
    ::setenv("SAMPLE_OPTIMIZER__RATE", "0.75", 1);
    ::setenv("SAMPLE_OPTIMIZER__STEPS", "3", 1);
    Sample sample;
    Settings settings(fields_of(sample));
    settings.apply_yaml("optimizer: {rate: 0.1, steps: 1}", "run.yaml");
    settings.apply_environment("SAMPLE");
    settings.apply_override("optimizer.steps=9");
    ::unsetenv("SAMPLE_OPTIMIZER__RATE");
    ::unsetenv("SAMPLE_OPTIMIZER__STEPS");
    EXPECT_EQ(sample.optimizer.rate, 0.75);
    EXPECT_EQ(sample.optimizer.steps, 9);
    EXPECT_EQ(settings.where("optimizer.rate"), "environment: SAMPLE_OPTIMIZER__RATE");
}

TEST(Settings, DumpReadsBackAsTheSame) {
    Sample sample = read(
        "model: 'yes'\noptimizer: {rate: 1e-8, floor: 0.1}\n"
        "other: {names: [a, 'b: c'], weights: [1e20, 0.30000000000000004], ranks: {'model.layers.0': 4}, numbers: {power: 2},"
        " start: \"line\\nbreak \\u00e9 # \", parts: [x, {path: '1', weight: 3}]}\n");
    const std::string yaml = to_yaml(settings_json(fields_of(sample)));
    Sample again = read(yaml);
    EXPECT_EQ(settings_json(fields_of(sample)), settings_json(fields_of(again))) << yaml;
    EXPECT_EQ(again.model, "yes");
    EXPECT_EQ(again.other.start, "line\nbreak \u00e9 # ");
    EXPECT_NE(yaml.find("rate: 1.0e-08\n"), std::string::npos) << yaml;
    EXPECT_EQ(settings_json(fields_of(sample))["other"]["parts"].dump(), R"(["x",{"path":"1","weight":3.0}])");
}

TEST(Settings, SchemaHoldsTypesBoundsDefaultsAndHelp) {
    Sample sample;
    const Json schema = settings_schema(fields_of(sample), "Sample");
    EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    EXPECT_EQ(schema["additionalProperties"], false);
    const Json& rate = schema["properties"]["optimizer"]["properties"]["rate"];
    EXPECT_EQ(rate["type"], "number");
    EXPECT_EQ(rate["exclusiveMinimum"], 0);
    EXPECT_EQ(rate["default"], 0.5);
    EXPECT_EQ(rate["description"], "Rate.");
    EXPECT_EQ(schema["properties"]["optimizer"]["properties"]["kind"]["enum"], Json::array({"linear", "cosine"}));
    EXPECT_EQ(schema["properties"]["other"]["properties"]["parts"]["anyOf"][1]["required"], Json::array({"path"}));
    EXPECT_EQ(schema["properties"]["speed"]["deprecated"], true);
}

TEST(Settings, MarkdownHasALineAField) {
    Sample sample;
    const std::string text = settings_markdown(fields_of(sample));
    EXPECT_NE(text.find("| `optimizer.steps` | whole number >= 0 | `10` | Steps. Unit: steps. |"), std::string::npos) << text;
    EXPECT_NE(text.find("An element of `other.parts`:"), std::string::npos) << text;
}

TEST(Yaml, RefusesWhatIsNoConfiguration) {
    EXPECT_EQ(error_of("model: a\nmodel: b\n"), "run.yaml:2:1: duplicate key \"model\", first given on line 1");
    EXPECT_EQ(error_of("other: {ranks: {a: 1, a: 2}}"), "run.yaml:1:23: duplicate key \"a\", first given on line 1");
    EXPECT_EQ(error_of("? [a]\n: b\n"), "run.yaml:1:3: a key must be plain text");
    EXPECT_EQ(error_of("model: a\n---\nmodel: b\n").substr(0, 11), "run.yaml:2:");
    EXPECT_EQ(error_of("model: !include x\n"), "run.yaml:1:8: tag !include is not known here");
    EXPECT_EQ(error_of("model: \"a\nother: {}\n"), "run.yaml:3:1: not valid YAML: a quote opened before is not closed");
    EXPECT_EQ(error_of("model: 'a"), "run.yaml:2:1: not valid YAML: a quote opened before is not closed");
    EXPECT_EQ(read("---\nmodel: a\n...\n").model, "a");
    EXPECT_EQ(error_of("model: a\xff\n"), "run.yaml:1:9: invalid UTF-8");
    EXPECT_EQ(error_of(std::string("model: a\nx: \0\n", 14)), "run.yaml:2:4: a NUL byte");
    EXPECT_NE(error_of("model: [1, 2\nother: {\n").find("not valid YAML"), std::string::npos);
}

TEST(Yaml, CapsDepthSizeAndAliases) {
    EXPECT_NE(error_of("model: " + std::string(40, '[') + std::string(40, ']')).find("nested deeper than 32 levels"), std::string::npos);
    EXPECT_NE(error_of("model: " + std::string(std::size_t(2) << 20, 'a')).find("at most 1048576"), std::string::npos);
    std::string laughs = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
    for (char name = 'b'; name < 'j'; ++name) {
        laughs += fmt::format("{0}: &{0} [", name);
        for (int i = 0; i < 10; ++i) laughs += fmt::format("{}*{}", i == 0 ? "" : ", ", static_cast<char>(name - 1));
        laughs += "]\n";
    }
    EXPECT_NE(error_of(laughs).find("more than 100000 values"), std::string::npos);
    EXPECT_NE(error_of("model: &a [*a]").find("inside the node that it names"), std::string::npos);
}

TEST(Nearest, DistanceAndThreshold) {
    EXPECT_EQ(edit_distance("", "abc"), 3u);
    EXPECT_EQ(edit_distance("abc", "abc"), 0u);
    EXPECT_EQ(edit_distance("abdc", "abcd"), 1u);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
    EXPECT_EQ(nearest_name("learning_rat", {"weight_decay", "learning_rate"}), "learning_rate");
    EXPECT_EQ(nearest_name("r", {"lora_alpha"}), "");
}

}  // namespace
}  // namespace temper
