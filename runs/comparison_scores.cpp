#include <algorithm>
#include <cmath>

#include "runs/bootstrap.h"
#include "runs/comparison.h"
#include "runs/figures.h"

namespace temper {
namespace {

// Differences b - a of the samples that both have, in the order of their names; a sample whose document is another one is none of both.
std::vector<double> paired_differences(const Figures& a, const Figures& b, const std::string& name) {
    const std::map<std::string, Sample> left = samples_of(a, name), right = samples_of(b, name);
    std::vector<double> differences;
    for (const auto& [id, sample] : left) {
        const auto other = right.find(id);
        if (other != right.end() && other->second.hash == sample.hash) differences.push_back(other->second.value - sample.value);
    }
    return differences;
}

// Certainty of a difference, two-sided: twice the smaller of the two one-sided p.
void add_certainty(Json& score, const std::vector<double>& differences, const ComparisonOptions& options) {
    if (differences.size() < 2) return;
    std::vector<double> opposite(differences.size());
    std::transform(differences.begin(), differences.end(), opposite.begin(), [](double d) { return -d; });
    const PairedComparison down = compare_pairs(differences, options.resamples, options.seed);
    const PairedComparison up = compare_pairs(opposite, options.resamples, options.seed);
    double p = std::min(1.0, 2.0 * std::min(down.p_worse, up.p_worse));
    // All samples differ alike: nothing to resample, and the signs alone speak.
    if (std::all_of(differences.begin(), differences.end(), [&](double d) { return d == differences[0]; }))
        p = differences[0] == 0 ? 1.0 : std::pow(0.5, static_cast<double>(differences.size()) - 1.0);
    score["samples"] = differences.size();
    score["mean_difference"] = down.difference;
    score["low"] = down.interval.low;
    score["high"] = down.interval.high;
    score["p"] = p;
    score["certain"] = p < options.level;
}

}  // namespace

Json compare_scores(const std::filesystem::path& a, const std::filesystem::path& b, const ComparisonOptions& options) {
    const Figures left = read_run_figures(a), right = read_run_figures(b);
    Json scores = Json::array();
    for (const auto& [name, value] : left.values) {
        const auto other = right.values.find(name);
        if (other == right.values.end() || name.find(',') == std::string::npos || name.find("_stderr,") != std::string::npos) continue;
        if (!std::isfinite(value) || !std::isfinite(other->second)) continue;
        const auto told = left.higher_is_better.find(name);
        const int direction = told != left.higher_is_better.end() ? (told->second ? 1 : -1) : better_direction(name);
        const double difference = other->second - value;
        Json score{{"name", name}, {"a", value}, {"b", other->second}, {"difference", difference}};
        score["better"] = direction == 0 ? Json() : Json(difference == 0 ? "" : difference * direction > 0 ? "b" : "a");
        add_certainty(score, paired_differences(left, right, name), options);
        scores.push_back(std::move(score));
    }
    return scores;
}

}  // namespace temper
