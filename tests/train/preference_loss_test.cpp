// Losses of pairs and of labelled rows against the code of TRL's trainers (tests/goldens/dpo/formulas.json), against finite differences, and what
// the engine builds on: pairs asked for one by one give the same bits, their order does not matter, NaN does not disappear.
#include <cmath>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/support/golden.h"
#include "train/losses/metrics.h"
#include "train/losses/preference.h"
#include "train/losses/unpaired.h"

namespace temper {
namespace {

using Numbers = std::vector<double>;

std::filesystem::path golden_root() { return std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens/dpo"; }

const Json& goldens() {
    static const Json json = Json::parse(read_file(golden_root() / "formulas.json"));
    return json;
}

DpoConfig dpo_of(const Json& settings) {
    const Json document = {{"model", "m"}, {"data", {{"train", "a.jsonl"}}}, {"dpo", settings}};
    return parse_config(document.dump(), "golden", {}, TrainKind::dpo).dpo;
}

struct Pairs {
    Numbers policy_chosen, policy_rejected, reference_chosen, reference_rejected;
    std::vector<std::int64_t> chosen_tokens, rejected_tokens;

    static Pairs of(const Json& json) {
        return {json["policy_chosen"],      json["policy_rejected"], json["reference_chosen"],
                json["reference_rejected"], json["chosen_tokens"],   json["rejected_tokens"]};
    }
    std::size_t size() const { return policy_chosen.size(); }
    BatchTotals totals() const {
        return {static_cast<std::int64_t>(size()), std::accumulate(chosen_tokens.begin(), chosen_tokens.end(), std::int64_t(0))};
    }
    PreferenceBatch batch(std::size_t first, std::size_t count, bool reference) const {
        const auto part = [&](const auto& values) { return Span<std::remove_reference_t<decltype(values[0])>>(values.data() + first, count); };
        PreferenceBatch result{part(policy_chosen), part(policy_rejected), {}, {}, part(chosen_tokens), part(rejected_tokens)};
        if (reference) {
            result.reference_chosen = part(reference_chosen);
            result.reference_rejected = part(reference_rejected);
        }
        return result;
    }
    Pairs permuted(const std::vector<std::size_t>& order) const {
        Pairs result;
        for (const std::size_t i : order) {
            result.policy_chosen.push_back(policy_chosen[i]);
            result.policy_rejected.push_back(policy_rejected[i]);
            result.reference_chosen.push_back(reference_chosen[i]);
            result.reference_rejected.push_back(reference_rejected[i]);
            result.chosen_tokens.push_back(chosen_tokens[i]);
            result.rejected_tokens.push_back(rejected_tokens[i]);
        }
        return result;
    }
};

struct Results {
    Numbers loss, d_chosen, d_rejected;
    double sum() const { return std::accumulate(loss.begin(), loss.end(), 0.0); }
};

// `at_once` pairs a call.
Results evaluate(const PreferenceLoss& loss, const Pairs& pairs, std::size_t at_once) {
    Results results{Numbers(pairs.size()), Numbers(pairs.size()), Numbers(pairs.size())};
    for (std::size_t first = 0; first < pairs.size(); first += at_once) {
        const std::size_t count = std::min(at_once, pairs.size() - first);
        preference_loss(loss, pairs.batch(first, count, loss.needs_reference()), pairs.totals(),
                        {{results.loss.data() + first, count}, {results.d_chosen.data() + first, count}, {results.d_rejected.data() + first, count}});
    }
    return results;
}

Results evaluate(const PreferenceLoss& loss, const Pairs& pairs) { return evaluate(loss, pairs, pairs.size()); }

void expect_near(double got, double expected, double relative, const std::string& what) {
    EXPECT_TRUE(std::abs(got - expected) <= relative * std::max(1e-3, std::abs(expected))) << what << ": got " << got << ", expected " << expected;
}

void expect_metrics(const NamedMetrics& got, const Json& expected, double relative, const std::string& what) {
    const std::map<std::string, double> named(got.begin(), got.end());
    for (const auto& [name, value] : expected.items()) {
        ASSERT_TRUE(named.count(name)) << what << " " << name;
        // TRL counts in float32.
        expect_near(named.at(name), value, name == "rewards/accuracies" ? 1e-7 : relative, what + " " + name);
    }
}

TEST(PreferenceLoss, FollowsTrlAndThePapers) {
    std::set<std::string> seen;
    for (const Json& golden : goldens()["cases"]) {
        const std::string name = golden["name"].get<std::string>() + " " + golden["batch"].get<std::string>();
        const double relative = golden["rtol"];
        const DpoConfig config = dpo_of(golden["dpo"]);
        seen.insert(config.loss_type.begin(), config.loss_type.end());
        const PreferenceLoss loss = make_preference_loss(config);
        const Pairs pairs = Pairs::of(goldens()["batches"][golden["batch"].get<std::string>()]);
        const Results results = evaluate(loss, pairs);
        expect_near(results.sum(), golden["loss"], relative, name);
        for (std::size_t i = 0; i < pairs.size(); ++i) {
            expect_near(results.d_chosen[i], golden["d_chosen"][i], relative, name + " d_chosen");
            expect_near(results.d_rejected[i], golden["d_rejected"][i], relative, name + " d_rejected");
        }
        if (config.loss_type == std::vector<std::string>{"sft"}) continue;  // TRL's compares with a reference that its loss does not read
        const PreferenceSums sums = preference_sums(loss, pairs.batch(0, pairs.size(), loss.needs_reference()));
        expect_metrics(preference_metrics(loss, sums), golden["metrics"], relative, name);
    }
    for (const std::string& name : preference_loss_names())
        EXPECT_TRUE(name == "kto" || name == "apo_zero_unpaired" || seen.count(name) != 0) << name << " has no golden";
}

// The log-probabilities of the first step of TRL's real trainers give the loss and the metrics that they logged, to float32.
TEST(PreferenceLoss, FirstStepOfTrlsTrainers) {
    int found = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(golden_root())) {
        if (entry.path().extension() != ".json" || entry.path().filename() == "formulas.json") continue;
        const Json golden = Json::parse(read_file(entry.path()));
        if (golden["trainer"] != "dpo") continue;
        ++found;
        const std::string name = entry.path().filename();
        Json settings = golden["settings"]["dpo"];
        if (settings.value("reference", "") == "init_adapter") settings["reference"] = "base";  // the settings here hold no adapter
        const PreferenceLoss loss = make_preference_loss(dpo_of(settings));
        Json batch = golden["logps"];
        for (const Json& index : golden["order"][0]) {
            const Json& row = golden["rows"][index.get<std::size_t>()];
            for (const char* side : {"chosen", "rejected"}) batch[side + std::string("_tokens")].push_back(row[side + std::string("_ids")].size());
        }
        const Pairs pairs = Pairs::of(batch);
        const Json& step = golden["steps"][0];
        expect_near(evaluate(loss, pairs).sum(), step["loss"], 2e-5, name);
        const PreferenceSums sums = preference_sums(loss, pairs.batch(0, pairs.size(), loss.needs_reference()));
        for (const auto& [metric, value] : preference_metrics(loss, sums)) {
            if (step.contains(metric)) {
                EXPECT_NEAR(value, step[metric].get<double>(), 2e-5) << name << " " << metric;
            }
        }
    }
    EXPECT_GE(found, 35);
}

// Settings under which each loss shows all its terms.
Json settings_of(const std::string& name) {
    Json settings = {{"loss_type", {name}}};
    for (const char* smoothed : {"robust", "exo_pair", "aot", "aot_unpaired", "cpo", "simpo"})
        if (name == smoothed) settings["label_smoothing"] = 0.1;
    if (name == "simpo") settings["cpo_alpha"] = 0.5;
    return settings;
}

std::vector<PreferenceLoss> every_loss() {
    std::vector<PreferenceLoss> losses;
    for (const std::string& name : preference_loss_names())
        if (name != "kto" && name != "apo_zero_unpaired") losses.push_back(make_preference_loss(dpo_of(settings_of(name))));
    for (const char* divergence : {"forward_kl", "js_divergence", "alpha_divergence"})
        losses.push_back(make_preference_loss(dpo_of({{"loss_type", {"sigmoid"}}, {"f_divergence_type", divergence}})));
    losses.push_back(make_preference_loss(dpo_of({{"loss_type", {"sigmoid", "aot", "sft"}}, {"loss_weights", {0.5, 2.0, 0.25}}})));
    return losses;
}

TEST(PreferenceLoss, GradientsAreFiniteDifferences) {
    for (const PreferenceLoss& loss : every_loss()) {
        for (const char* name : {"near", "far"}) {
            Pairs pairs = Pairs::of(goldens()["batches"][name]);
            const Results results = evaluate(loss, pairs);
            const auto slope = [&](double& variable) {
                const double h = 1e-5, at = variable;
                variable = at + h;
                const double above = evaluate(loss, pairs).sum();
                variable = at - h;
                const double below = evaluate(loss, pairs).sum();
                variable = at;
                return (above - below) / (2 * h);
            };
            const double scale = 1e-7 * std::max(1.0, std::abs(results.sum()));
            for (std::size_t i = 0; i < pairs.size(); ++i) {
                EXPECT_NEAR(results.d_chosen[i], slope(pairs.policy_chosen[i]), scale) << name << " pair " << i;
                EXPECT_NEAR(results.d_rejected[i], slope(pairs.policy_rejected[i]), scale) << name << " pair " << i;
            }
        }
    }
}

TEST(PreferenceLoss, PairsOneByOneGiveTheSameBits) {
    int pairwise = 0;
    for (const PreferenceLoss& loss : every_loss()) {
        if (loss.coupled()) continue;
        ++pairwise;
        for (const char* name : {"near", "far"}) {
            const Pairs pairs = Pairs::of(goldens()["batches"][name]);
            const Results whole = evaluate(loss, pairs), single = evaluate(loss, pairs, 1), two = evaluate(loss, pairs, 2);
            EXPECT_EQ(whole.loss, single.loss);
            EXPECT_EQ(whole.d_chosen, single.d_chosen);
            EXPECT_EQ(whole.d_rejected, single.d_rejected);
            EXPECT_EQ(whole.d_chosen, two.d_chosen);
            PreferenceSums sums;
            for (std::size_t i = 0; i < pairs.size(); ++i) sums += preference_sums(loss, pairs.batch(i, 1, loss.needs_reference()));
            EXPECT_EQ(preference_metrics(loss, sums),
                      preference_metrics(loss, preference_sums(loss, pairs.batch(0, pairs.size(), loss.needs_reference()))));
        }
    }
    EXPECT_EQ(pairwise, 19);
}

TEST(PreferenceLoss, OrderOfPairsChangesNoBitOfAPair) {
    const std::vector<std::size_t> order = {3, 0, 4, 2, 1};
    const Pairs pairs = Pairs::of(goldens()["batches"]["near"]), turned = pairs.permuted(order);
    for (const PreferenceLoss& loss : every_loss()) {
        const Results first = evaluate(loss, pairs), second = evaluate(loss, turned);
        for (std::size_t i = 0; i < order.size(); ++i) {
            EXPECT_EQ(second.loss[i], first.loss[order[i]]);
            EXPECT_EQ(second.d_chosen[i], first.d_chosen[order[i]]);
            EXPECT_EQ(second.d_rejected[i], first.d_rejected[order[i]]);
        }
    }
}

TEST(PreferenceLoss, FirstStepIsLogTwoWithoutMargin) {
    Pairs pairs = Pairs::of(goldens()["batches"]["far"]);
    pairs.policy_chosen = pairs.reference_chosen;
    pairs.policy_rejected = pairs.reference_rejected;
    const PreferenceLoss loss = make_preference_loss(DpoConfig{});
    EXPECT_EQ(evaluate(loss, pairs).sum(), std::log(2.0));
    std::map<std::string, double> metrics;
    for (const auto& [name, value] : preference_metrics(loss, preference_sums(loss, pairs.batch(0, pairs.size(), true)))) metrics[name] = value;
    EXPECT_EQ(metrics["rewards/margins"], 0.0);
    EXPECT_EQ(metrics["rewards/accuracies"], 0.0);  // strictly larger counts
    EXPECT_EQ(metrics["rewards/chosen"], 0.0);
}

TEST(PreferenceLoss, NanStaysNan) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const PreferenceLoss& loss : every_loss()) {
        Pairs pairs = Pairs::of(goldens()["batches"]["near"]);
        pairs.policy_chosen[1] = nan;
        EXPECT_TRUE(std::isnan(evaluate(loss, pairs).sum()));
        if (!loss.needs_reference()) continue;
        pairs = Pairs::of(goldens()["batches"]["near"]);
        pairs.reference_chosen[2] = nan;
        EXPECT_TRUE(std::isnan(evaluate(loss, pairs).sum()));
        EXPECT_TRUE(std::isnan(preference_sums(loss, pairs.batch(0, pairs.size(), true)).margins));
    }
    const Numbers policy = {-1.0, nan}, reference = {0.0, 0.0};
    EXPECT_TRUE(std::isnan(mismatch_kl(policy, reference)));
}

// Where the formula as written would be infinity times zero.
TEST(PreferenceLoss, ExtremesStayFinite) {
    Pairs pairs = Pairs::of(goldens()["batches"]["near"]);
    pairs.policy_chosen[0] = 0.0;     // certain of a completion
    pairs.policy_chosen[1] = 1e-7;    // what rounding makes of it
    pairs.policy_rejected[2] = -9e4;  // all but impossible
    const Results orpo = evaluate(make_preference_loss(dpo_of({{"loss_type", {"orpo"}}})), pairs);
    for (const Numbers& values : {orpo.loss, orpo.d_chosen, orpo.d_rejected})
        for (const double value : values) EXPECT_TRUE(std::isfinite(value)) << value;
    pairs.policy_chosen[3] = -9e4;
    for (const char* name : {"discopop", "sigmoid", "exo_pair", "robust", "nca_pair", "apo_zero", "aot"}) {
        const Results results = evaluate(make_preference_loss(dpo_of(settings_of(name))), pairs);
        for (const Numbers& values : {results.loss, results.d_chosen, results.d_rejected})
            for (const double value : values) EXPECT_TRUE(std::isfinite(value)) << name << " " << value;
    }
}

struct Rows {
    Numbers policy, reference, kl_policy, kl_reference;
    std::vector<std::uint8_t> desirable;

    static Rows of(const Json& json) { return {json["policy"], json["reference"], json["kl_policy"], json["kl_reference"], json["desirable"]}; }
    std::size_t size() const { return policy.size(); }
    UnpairedBatch batch(std::size_t first, std::size_t count) const {
        return {{policy.data() + first, count}, {reference.data() + first, count}, {desirable.data() + first, count}};
    }
};

Results evaluate(const UnpairedLoss& loss, const Rows& rows, double kl, std::size_t at_once) {
    Results results{Numbers(rows.size()), Numbers(rows.size()), {}};
    for (std::size_t first = 0; first < rows.size(); first += at_once) {
        const std::size_t count = std::min(at_once, rows.size() - first);
        unpaired_loss(loss, rows.batch(first, count), static_cast<std::int64_t>(rows.size()), kl,
                      {{results.loss.data() + first, count}, {results.d_chosen.data() + first, count}});
    }
    return results;
}

TEST(UnpairedLoss, FollowsTrl) {
    for (const Json& golden : goldens()["unpaired"]) {
        const std::string name = golden["name"].get<std::string>() + " " + golden["batch"].get<std::string>();
        const double relative = golden["rtol"];
        const DpoConfig config = dpo_of(golden["dpo"]);
        ASSERT_TRUE(is_unpaired(config));
        const UnpairedLoss loss = make_unpaired_loss(config);
        Rows rows = Rows::of(goldens()["batches"][golden["batch"].get<std::string>()]);
        const double kl = loss.needs_kl ? mismatch_kl(rows.kl_policy, rows.kl_reference) : 0.0;
        expect_near(kl, golden["kl"], relative, name + " kl");
        const Results whole = evaluate(loss, rows, kl, rows.size()), single = evaluate(loss, rows, kl, 1);
        expect_near(whole.sum(), golden["loss"], relative, name);
        EXPECT_EQ(whole.loss, single.loss);
        EXPECT_EQ(whole.d_chosen, single.d_chosen);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            expect_near(whole.d_chosen[i], golden["d_policy"][i], relative, name + " d_policy");
            const double h = 1e-5, at = rows.policy[i];
            rows.policy[i] = at + h;
            const double above = evaluate(loss, rows, kl, rows.size()).sum();
            rows.policy[i] = at - h;
            const double below = evaluate(loss, rows, kl, rows.size()).sum();
            rows.policy[i] = at;
            EXPECT_NEAR(whole.d_chosen[i], (above - below) / (2 * h), 1e-9) << name;
        }
        UnpairedSums sums;
        for (std::size_t i = 0; i < rows.size(); ++i) sums += unpaired_sums(loss, rows.batch(i, 1));
        expect_metrics(unpaired_metrics(loss, sums, kl), golden["metrics"], relative, name);
        EXPECT_EQ(unpaired_metrics(loss, sums, kl), unpaired_metrics(loss, unpaired_sums(loss, rows.batch(0, rows.size())), kl));
    }
}

TEST(UnpairedLoss, FirstStepOfTrlsTrainers) {
    for (const char* name : {"kto", "apo_zero_unpaired"}) {
        const Json golden = Json::parse(read_file(golden_root() / "losses" / (name + std::string(".json"))));
        const UnpairedLoss loss = make_unpaired_loss(dpo_of(golden["settings"]["dpo"]));
        const Json &logps = golden["logps"], &step = golden["steps"][0], none = Json::array();
        Rows rows{logps["policy"], logps["reference"], logps.value("kl_policy", none), logps.value("kl_reference", none), {}};
        for (const Json& index : golden["order"][0]) rows.desirable.push_back(golden["rows"][index.get<std::size_t>()]["label"].get<bool>() ? 1 : 0);
        const double kl = loss.needs_kl ? mismatch_kl(rows.kl_policy, rows.kl_reference) : 0.0;
        expect_near(evaluate(loss, rows, kl, 1).sum(), step["loss"], 2e-5, name);
        for (const auto& [metric, value] : unpaired_metrics(loss, unpaired_sums(loss, rows.batch(0, rows.size())), kl))
            EXPECT_NEAR(value, step.at(metric).get<double>(), 2e-5) << name << " " << metric;
    }
}

TEST(UnpairedLoss, MismatchedCompletionsAreThoseBefore) {
    EXPECT_EQ(mismatched_completion(0, 4), 3u);
    EXPECT_EQ(mismatched_completion(3, 4), 2u);
    EXPECT_EQ(mismatched_completion(0, 1), 0u);
    const UnpairedLoss loss;
    const Rows one_kind{{-5.0}, {-6.0}, {}, {}, {0}};
    std::map<std::string, double> metrics;
    for (const auto& [name, value] : unpaired_metrics(loss, unpaired_sums(loss, one_kind.batch(0, 1)), 0.5)) metrics[name] = value;
    EXPECT_EQ(metrics, (std::map<std::string, double>{{"rewards/rejected", 0.1}, {"logps/rejected", -5.0}, {"kl", 0.5}}));
}

std::string fault_of(const Json& settings) {
    try {
        dpo_of(settings);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::usage);
        return error.what();
    }
    return "";
}

TEST(PreferenceSettings, WhatCannotBeIsRefusedByName) {
    const std::vector<std::tuple<Json, std::string, std::string>> faults = {
        {{{"label_smoothing", 0.1}}, "dpo.label_smoothing", "robust is sigmoid with label smoothing"},
        {{{"label_smoothing", 0.1}, {"loss_type", "hinge"}},
         "dpo.label_smoothing",
         "losses that do: exo_pair, robust, aot, aot_unpaired, cpo, simpo"},
        {{{"loss_type", "exo_pair"}}, "dpo.label_smoothing", "0.001"},
        {{{"loss_type", {"sigmoid", "kto"}}}, "dpo.loss_type", "name one alone"},
        {{{"loss_type", "kto"}, {"loss_weights", {2.0}}}, "dpo.loss_weights", "desirable_weight"},
        {{{"loss_type", {"sigmoid", "sft"}}, {"loss_weights", {0, 0}}}, "dpo.loss_weights", "every weight is 0"},
        {{{"loss_type", "aot"}, {"f_divergence_type", "forward_kl"}}, "dpo.f_divergence_type", "forward_kl beside aot: expected reverse_kl"},
        {{{"loss_type", "kto"}, {"f_divergence_type", "forward_kl"}}, "dpo.f_divergence_type", "kto takes reverse_kl alone"},
        {{{"loss_type", "orpo"}, {"precompute_ref_log_probs", true}}, "dpo.precompute_ref_log_probs", "orpo compares with no reference"},
        {{{"loss_type", "simpo"}, {"reference", "base"}}, "dpo.reference", "simpo compares with no reference"},
        {{{"reference", "init_adapter"}}, "dpo.reference", "lora.init_adapter gives none"},
        {{{"discopop_tau", 0.1}}, "dpo.discopop_tau", "discopop"},
        {{{"simpo_gamma", 0.1}}, "dpo.simpo_gamma", "simpo"},
        {{{"cpo_alpha", 0.1}}, "dpo.cpo_alpha", "cpo and simpo"},
        {{{"f_alpha_divergence_coef", 0.1}}, "dpo.f_alpha_divergence_coef", "alpha_divergence"},
        {{{"desirable_weight", 2}}, "dpo.desirable_weight", "kto"},
        {{{"undesirable_weight", 2}}, "dpo.undesirable_weight", "kto"},
    };
    for (const auto& [settings, setting, message] : faults) {
        const std::string fault = fault_of(settings);
        EXPECT_NE(fault.find(setting), std::string::npos) << settings << ": " << fault;
        EXPECT_NE(fault.find(message), std::string::npos) << settings << ": " << fault;
    }
    for (const std::string& name : preference_loss_names()) EXPECT_EQ(fault_of(settings_of(name)), "") << name;
    EXPECT_THROW(parse_config("model: m\ndata: {train: a}\ndpo: {loss_type: kto}\ntrain: {global_batch_size: 1}\n", "c", {}, TrainKind::dpo), Error);
}

TEST(PreferenceSettings, PageNamesEveryLossAndNoOther) {
    const std::string page = read_file(std::filesystem::path(TEMPER_SOURCE_DIR) / "docs/preference_losses.md");
    std::size_t lines = 0;
    for (std::size_t at = page.find("\n| `"); at != std::string::npos; at = page.find("\n| `", at + 1)) ++lines;
    const std::vector<std::string> names = preference_loss_names();
    for (const std::string& name : names) EXPECT_NE(page.find("\n| `" + name + "` |"), std::string::npos) << name;
    EXPECT_EQ(lines, names.size() + 1);  // and the head
}

}  // namespace
}  // namespace temper
