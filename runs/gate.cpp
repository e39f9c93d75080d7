#include "runs/gate.h"

#include <algorithm>
#include <cmath>

#include "io/nearest.h"
#include "kernels/error.h"

namespace temper {
namespace {

constexpr double power = 0.8;

class Judge {
  public:
    Judge(const GateRules& rules, const Figures& record, const Figures* baseline) : rules_(rules), record_(record), baseline_(baseline) {}

    GateResult run() {
        GateCheck& finished = add("the record", "", "finished");
        finished.passed = record_.status == "finished";
        if (!finished.passed) finished.reason = fmt::format("it is {}, expected a finished one", record_.status);
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
        if (std::isfinite(*value)) return true;
        check.reason = fmt::format("{}: {} is not finite", side, *value);
        return false;
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
        if (better.empty()) better = direction_by_name(metric);
        if (better.empty())
            throw_error(ExitCode::usage, "{}:{}: {}: nothing tells whether more of it is better; add better: higher, or lower", rules_.path,
                        rule.line, rule.metric);
        return better == "higher" ? 1.0 : -1.0;
    }

    void no_worse_by(const GateRule& rule, GateCheck& check) const {
        const Figures& baseline = baseline_for(rule);
        const double sign = sign_of(rule, check.metric);
        const Tolerance tolerance = tolerance_of(rule, rules_.path);
        if (!read(check, rule, record_, "the record", check.value) || !read(check, rule, baseline, "the baseline", check.baseline)) return;
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
            ++check.samples;
            if (sample.value == 1.0) continue;
            if (++failures <= 3) failed += (failed.empty() ? "" : ", ") + document;
        }
        check.passed = failures == 0 && *check.value == 1.0;
        if (check.passed) return;
        check.reason = failures > 0 ? fmt::format("{} of {} samples did not pass: {}{}", failures, check.samples, failed, failures > 3 ? " ..." : "")
                                    : "not every sample passed";
    }

    // The samples of both sides, document by document, as differences in the direction of better. Empty, with the reason, when they cannot be compared.
    std::vector<double> differences(const GateRule& rule, GateCheck& check, const Figures& baseline, double sign) const {
        const std::map<std::string, Sample> ours = samples_of(record_, check.metric), theirs = samples_of(baseline, baseline.find(rule.metric));
        const auto refuse = [&](std::string reason) {
            check.reason = std::move(reason);
            return std::vector<double>();
        };
        if (ours.empty() || theirs.empty())
            return refuse(fmt::format("{} keeps no values of its samples", ours.empty() ? "the record" : "the baseline"));
        if (ours.size() != theirs.size())
            return refuse(fmt::format("{} samples, the baseline has {}: compare on the same documents", ours.size(), theirs.size()));
        std::vector<double> found;
        double sums[2] = {0.0, 0.0};
        for (auto a = ours.begin(), b = theirs.begin(); a != ours.end(); ++a, ++b) {
            if (a->first != b->first) return refuse(fmt::format("{} is not in the baseline: compare on the same documents", a->first));
            if (a->second.hash != b->second.hash && !a->second.hash.empty() && !b->second.hash.empty())
                return refuse(fmt::format("{} is another document in the baseline (doc_hash): evaluate it again", a->first));
            if (!std::isfinite(a->second.value) || !std::isfinite(b->second.value))
                return refuse(fmt::format("the value of {} is not finite", a->first));
            sums[0] += a->second.value;
            sums[1] += b->second.value;
            found.push_back(a->second.value - b->second.value);
        }
        check.samples = static_cast<std::int64_t>(found.size());
        const double n = static_cast<double>(found.size());
        const auto near = [](double a, double b) { return std::abs(a - b) <= 1e-6 * std::max(1.0, std::abs(b)); };
        const auto all_near = [&](auto of) { return near(of(sums[0] / n), *check.value) && near(of(sums[1] / n), *check.baseline); };
        if (!all_near([](double mean) { return mean; })) {
            // A perplexity's samples are log-probabilities, of which more is better.
            if (!all_near([](double mean) { return std::exp(-mean); }))
                return refuse("the figure is not the mean of its samples' values, and cannot be tested by them; use no_worse_by");
            sign = -sign;
        }
        for (double& difference : found) difference *= sign;
        return found;
    }

    void not_significantly_worse(const GateRule& rule, GateCheck& check) const {
        const Figures& baseline = baseline_for(rule);
        const double sign = sign_of(rule, check.metric);
        check.level = rules_.level_of(rule);
        if (!read(check, rule, record_, "the record", check.value) || !read(check, rule, baseline, "the baseline", check.baseline)) return;
        const std::vector<double> pairs = differences(rule, check, baseline, sign);
        if (pairs.empty()) return;
        if (pairs.size() < 2) {
            check.reason = "one sample tells nothing beyond chance";
            return;
        }
        check.paired = compare_pairs(pairs, rules_.resamples, static_cast<std::uint64_t>(rules_.seed));
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

std::string direction_by_name(const std::string& metric) {
    const std::size_t slash = metric.find_last_of("/.");
    std::string name = metric.substr(slash == std::string::npos ? 0 : slash + 1);
    name = name.substr(0, name.find(','));
    for (const char* part : {"tokens_per_second",
                             "samples_per_second",
                             "steps_per_second",
                             "flops_per_second",
                             "share_of_peak",
                             "acc",
                             "exact_match",
                             "f1",
                             "bleu",
                             "chrf",
                             "rouge",
                             "mcc",
                             "margins",
                             "mrr",
                             "ndcg",
                             "recall",
                             "precision",
                             "json_fields",
                             "pass",
                             "win_rate"})
        if (name.find(part) != std::string::npos) return "higher";
    for (const char* part :
         {"loss", "perplexity", "bits_per_byte", "brier", "error", "_ms", "second", "latency", "cost", "bytes", "runtime", "energy", "memory"})
        if (name.find(part) != std::string::npos) return "lower";
    return "";
}

GateResult run_gate(const GateRules& rules, const Figures& record, const Figures* baseline) { return Judge(rules, record, baseline).run(); }

}  // namespace temper
