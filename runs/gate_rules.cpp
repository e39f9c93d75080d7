#include "runs/gate_rules.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "io/durable.h"
#include "io/settings.h"
#include "io/yaml.h"
#include "kernels/error.h"

namespace temper {

template <class Visitor> void describe(Visitor& v, GateRule& rule) {
    v("metric", rule.metric, "The figure: TASK/METRIC or TASK/METRIC,FILTER of an evaluation, performance.seconds, eval_loss.", not_empty());
    v("name", rule.name, "What the table calls it; the metric unless given.");
    v("min", rule.min, "The least that passes.");
    v("max", rule.max, "The most that passes: of losses, latency, cost.");
    v("no_worse_by", rule.no_worse_by, "How far behind the baseline passes: 0.02 is an amount, 2% a share of the baseline's value.");
    v("not_significantly_worse", rule.not_significantly_worse, "Fails where the baseline's samples are better beyond chance (paired bootstrap).");
    v("level", rule.level, "Of that test, in place of its share of false_alarm_rate.", Check{0.0, 0.5, true, false, false, {}});
    v("required", rule.required, "Every sample must have passed: each value is 1.");
    v("better", rule.better, "higher or lower; auto: as the record says, else by the name of the metric.", one_of({"auto", "higher", "lower"}));
}

template <class Visitor> void describe(Visitor& v, GateRules& rules) {
    v("false_alarm_rate", rules.false_alarm_rate, "How often an equal model may be stopped by chance, by all tests of significance together.",
      Check{0.0, 0.5, true, false, false, {}});
    v("resamples", rules.resamples, "Of the bootstrap.", range(100, 10000000));
    v("seed", rules.seed, "Of the bootstrap.", at_least(0));
    v.records("rules", rules.rules, "metric", "What is checked, a list.");
}

double GateRules::level_of(const GateRule& rule) const {
    if (rule.level) return *rule.level;
    const auto sharing =
        std::count_if(rules.begin(), rules.end(), [](const GateRule& other) { return other.not_significantly_worse && !other.level; });
    return false_alarm_rate / static_cast<double>(std::max<std::ptrdiff_t>(1, sharing));
}

Tolerance tolerance_of(const GateRule& rule, const std::string& place) {
    Tolerance tolerance;
    std::string text = rule.no_worse_by;
    if (text.ends_with('%')) {
        tolerance.relative = true;
        text.pop_back();
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), tolerance.amount);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(tolerance.amount) || tolerance.amount < 0.0) {
        throw_error(ExitCode::usage, "{}:{}: rules.no_worse_by: expected an amount >= 0 or a share as in 2%, found \"{}\"", place, rule.line,
                    rule.no_worse_by);
    }
    if (tolerance.relative) tolerance.amount /= 100.0;
    return tolerance;
}

namespace {

void check_rule(const GateRule& rule, const std::string& place, double resolution) {
    const bool checks = rule.min || rule.max || !rule.no_worse_by.empty() || rule.not_significantly_worse || rule.required;
    const auto fail = [&](const std::string& message) { throw_error(ExitCode::usage, "{}:{}: {}: {}", place, rule.line, rule.metric, message); };
    if (!checks) fail("checks nothing; expected min, max, no_worse_by, not_significantly_worse or required");
    if (rule.min && rule.max && *rule.min > *rule.max) fail(fmt::format("min {} is above max {}: nothing passes", *rule.min, *rule.max));
    if (rule.level && !rule.not_significantly_worse) fail("level without not_significantly_worse: true");
    if (rule.level && *rule.level < resolution)
        fail(fmt::format("level {} is below what the resamples can tell; expected at least {}", *rule.level, resolution));
    if (!rule.no_worse_by.empty()) tolerance_of(rule, place);
}

}  // namespace

GateRules read_gate_rules(const std::filesystem::path& path) {
    const std::string text = read_file(path, std::size_t(1) << 20), place = path.string();
    GateRules rules;
    Fields fields;
    describe(fields, rules);
    Settings settings(std::move(fields));
    settings.apply_yaml(text, place);
    if (rules.rules.empty()) throw_error(ExitCode::usage, "{}: no rules in it; expected a list \"rules\", each with a metric", place);
    const YamlNode document = parse_yaml(text, place);
    if (const YamlNode* list = document.find("rules"))
        for (std::size_t i = 0; i < rules.rules.size(); ++i)
            rules.rules[i].line = list->kind == YamlNode::Kind::sequence ? list->values[i].line : list->line;
    rules.path = std::filesystem::absolute(path).lexically_normal().string();
    rules.sha256 = sha256_hex(text);
    // The least p that so many resamples can give.
    const double resolution = 1.0 / static_cast<double>(rules.resamples + 1);
    for (const GateRule& rule : rules.rules) {
        check_rule(rule, place, resolution);
        if (rule.not_significantly_worse && rules.level_of(rule) < resolution)
            throw_error(ExitCode::usage, "{}:{}: {}: tested at level {:.2g}, below what {} resamples can tell; expected more resamples", place,
                        rule.line, rule.metric, rules.level_of(rule), rules.resamples);
    }
    return rules;
}

std::string gate_rules_help() {
    GateRules rules;
    GateRule rule;
    Fields outer, inner;
    describe(outer, rules);
    describe(inner, rule);
    return settings_help(outer) + "A rule:\n" + settings_help(inner);
}

}  // namespace temper
