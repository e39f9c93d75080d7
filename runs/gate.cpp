#include "runs/gate.h"

#include <algorithm>
#include <cmath>

#include "io/nearest.h"
#include "kernels/error.h"
#include "runs/metric_direction.h"
#include "runs/paired_samples.h"

namespace temper {
namespace {

constexpr double power = 0.8;

class Judge {
  public:
    Judge(const GateRules& rules, const Figures& record, const Figures* baseline) : rules_(rules), record_(record), baseline_(baseline) {}

    GateResult run() {
        finished("the record", record_);
        if (baseline_ != nullptr) finished("the baseline", *baseline_);
        for (const GateRule& rule : rules_.rules) check(rule);
        return std::move(result_);
    }

  private:
    GateCheck& add(const std::string& name, const std::string& metric, const std::string& kind) {
        GateCheck check;
        check.name = name;
        check.metric = metric;
        check.kind = kind;
        return result_.checks.emplace_back(std::move(check));
    }

    void finished(const char* side, const Figures& figures) {
        GateCheck& check = add(side, "", "finished");
        check.passed = figures.status == "finished";
        if (!check.passed) check.reason = fmt::format("it is {}, expected a finished one", figures.status);
    }

    void check(const GateRule& rule) {
        const std::string found = record_.find(rule.metric), metric = found.empty() ? rule.metric : found;
        const std::string name = rule.name.empty() ? rule.metric : rule.name;
        if (rule.min) bound(rule, add(name, metric, "min"), *rule.min);
        if (rule.max) bound(rule, add(name, metric, "max"), *rule.max);
        if (!rule.no_worse_by.empty()) no_worse_by(rule, add(name, metric, "no_worse_by"));
        if (rule.not_significantly_worse) not_significantly_worse(rule, add(name, metric, "not_significantly_worse"));
        if (rule.required) required(rule, add(name, metric, "required"));
    }

    // The figure of one side; false, with the reason, when it is not there or no number.
    static bool read(GateCheck& check, const GateRule& rule, const Figures& figures, const char* side, std::optional<double>& value) {
        const std::string metric = figures.find(rule.metric);
        if (metric.empty()) {
            std::vector<std::string> known;
            for (const auto& [name, number] : figures.values) known.push_back(name);
            const std::string nearest = nearest_name(rule.metric, known);
            check.reason = fmt::format("{} has no such figure{}", side, nearest.empty() ? "" : "; did you mean " + nearest + "?");
            const auto first = figures.values.lower_bound(rule.metric + ",");
            if (first != figures.values.end() && first->first.starts_with(rule.metric + ","))
                check.reason = fmt::format("{} has it under several filters; name one, as in {}", side, first->first);
            return false;
        }
        value = figures.values.at(metric);
        if (!std::isfinite(*value)) check.reason = fmt::format("{}: {} is not finite", side, *value);
        else check.reason = unjudged(figures, metric, side);
        return check.reason.empty();
    }

    // Of a judge that has said nothing about many rows: max_cost ended it, or its answers were no verdicts. Of a few rows that happens to every judge.
    static std::string unjudged(const Figures& figures, const std::string& metric, const char* side) {
        const auto judged = figures.rows.find(metric);
        const std::int64_t documents = figures.documents_of(figures.task_of(metric)).value_or(0);
        if (metric.find("/judge/") == std::string::npos || judged == figures.rows.end() || 20 * judged->second >= 19 * documents) return "";
        return fmt::format("{}: {} of {} rows are judged, expected 95% of them", side, judged->second, documents);
    }

    void bound(const GateRule& rule, GateCheck& check, double limit) const {
        check.limit = limit;
        if (!read(check, rule, record_, "the record", check.value)) return;
        check.passed = check.kind == "min" ? *check.value >= limit : *check.value <= limit;
        if (!check.passed) check.reason = check.kind == "min" ? "below the least that passes" : "above the most that passes";
    }

    const Figures& baseline_for(const GateRule& rule) const {
        if (baseline_ != nullptr) return *baseline_;
        throw_error(ExitCode::usage, "{}:{}: {}: compares with a baseline; give --baseline", rules_.path, rule.line, rule.metric);
    }

    // 1 where more is better, -1 where less is.
    double sign_of(const GateRule& rule, const std::string& metric) const {
        std::string better = rule.better == "auto" ? "" : rule.better;
        if (better.empty())
            if (const auto said = record_.higher_is_better.find(metric); said != record_.higher_is_better.end())
                better = said->second ? "higher" : "lower";
        if (const int direction = better.empty() ? metric_direction(metric) : 0; direction != 0) better = direction > 0 ? "higher" : "lower";
        if (better.empty())
            throw_error(ExitCode::usage, "{}:{}: {}: nothing tells whether more of it is better; add better: higher, or lower", rules_.path,
                        rule.line, rule.metric);
        return better == "higher" ? 1.0 : -1.0;
    }

    void no_worse_by(const GateRule& rule, GateCheck& check) const {
        const Figures& baseline = baseline_for(rule);
        const Tolerance tolerance = tolerance_of(rule, rules_.path);
        if (!read(check, rule, record_, "the record", check.value) || !read(check, rule, baseline, "the baseline", check.baseline)) return;
        const double sign = sign_of(rule, check.metric);
        const auto ours = record_.rows_of(check.metric), theirs = baseline.rows_of(baseline.find(rule.metric));
        if (ours && theirs && *ours != *theirs) {
            check.reason = fmt::format("over {} documents, the baseline over {}: evaluate both on the same documents", *ours, *theirs);
            return;
        }
        const double slack = tolerance.relative ? tolerance.amount * std::abs(*check.baseline) : tolerance.amount;
        check.limit = *check.baseline - sign * slack;
        // Of two decimal fractions that differ by the slack exactly, the binary ones may differ by more.
        const double rounding = 1e-12 * std::max(std::abs(*check.baseline), std::abs(*check.value));
        check.passed = sign * (*check.value - *check.limit) >= -rounding;
        if (!check.passed)
            check.reason = fmt::format("worse than the baseline by {:.6g}, {} passes", std::abs(*check.value - *check.baseline), rule.no_worse_by);
    }

    void required(const GateRule& rule, GateCheck& check) const {
        check.limit = 1.0;
        if (!read(check, rule, record_, "the record", check.value)) return;
        std::string failed;
        std::int64_t failures = 0;
        for (const auto& [document, sample] : samples_of(record_, check.metric)) {
            if (sample.weight) continue;  // a pair of numbers, which nothing passes
            ++check.samples;
            if (sample.value == 1.0) continue;
            if (++failures <= 3) failed += (failed.empty() ? "" : ", ") + document;
        }
        check.passed = failures == 0 && *check.value == 1.0;
        if (check.passed) return;
        check.reason = failures > 0 ? fmt::format("{} of {} samples did not pass: {}{}", failures, check.samples, failed, failures > 3 ? " ..." : "")
                                    : "not every sample passed";
    }

    void not_significantly_worse(const GateRule& rule, GateCheck& check) const {
        const Figures& baseline = baseline_for(rule);
        check.level = rules_.level_of(rule);
        if (!read(check, rule, record_, "the record", check.value) || !read(check, rule, baseline, "the baseline", check.baseline)) return;
        const double sign = sign_of(rule, check.metric);
        PairedSamples pairs = pair_samples({record_, check.metric, "the record"}, {baseline, baseline.find(rule.metric), "the baseline"});
        check.reason = pairs.fault;
        if (pairs.differences.empty()) return;
        check.samples = static_cast<std::int64_t>(pairs.differences.size());
        if (least_p_value(check.samples) > *check.level) {
            check.reason = fmt::format("too few samples: {} tell nothing at level {:.4g}, expected at least {}", check.samples, *check.level,
                                       std::ceil(-std::log2(*check.level)));
            return;
        }
        // A perplexity's samples are log-probabilities, of which more is better.
        const double toward_better = pairs.figure == FigureOf::mean ? sign : -sign;
        for (double& difference : pairs.differences) difference *= toward_better;
        check.paired = compare_pairs(pairs.differences, rules_.resamples, static_cast<std::uint64_t>(rules_.seed));
        check.p_value = check.paired->p_worse;
        if (check.paired->standard_error > 0.0) check.detectable = detectable_drop(*check.paired, *check.level, power);
        check.passed = *check.p_value > *check.level;
        if (!check.passed)
            check.reason = fmt::format("worse by {:.4g} over {} samples, p = {:.4g} at level {:.4g}", -check.paired->difference, check.samples,
                                       *check.p_value, *check.level);
    }

    const GateRules& rules_;
    const Figures& record_;
    const Figures* baseline_;
    GateResult result_;
};

}  // namespace

bool GateResult::passed() const { return failed() == 0; }
std::size_t GateResult::failed() const {
    return static_cast<std::size_t>(std::count_if(checks.begin(), checks.end(), [](const GateCheck& check) { return !check.passed; }));
}

GateResult run_gate(const GateRules& rules, const Figures& record, const Figures* baseline) { return Judge(rules, record, baseline).run(); }

}  // namespace temper
