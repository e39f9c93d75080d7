#include <algorithm>
#include <cmath>
#include <numbers>

#include "runs/bootstrap.h"
#include "runs/comparison.h"
#include "runs/figures.h"
#include "runs/metric_direction.h"
#include "runs/paired_samples.h"

namespace temper {
namespace {

// What a difference of the samples' means makes of the figure that is `from` without it.
double figure_difference(FigureOf figure, double from, double of_means) {
    switch (figure) {
        case FigureOf::mean: return of_means;
        case FigureOf::perplexity: return from * std::expm1(-of_means);
        case FigureOf::bits: return -of_means / std::numbers::ln2;
    }
    return of_means;
}

// Certainty of a difference, two-sided: twice the smaller of the two one-sided p.
void add_certainty(Json& score, const PairedSamples& pairs, const ComparisonOptions& options) {
    const std::vector<double>& differences = pairs.differences;
    if (differences.size() < 2) {
        score["note"] = pairs.fault.empty() ? "one sample tells nothing beyond chance" : pairs.fault;
        return;
    }
    std::vector<double> opposite(differences.size());
    std::transform(differences.begin(), differences.end(), opposite.begin(), [](double d) { return -d; });
    const PairedComparison down = compare_pairs(differences, options.resamples, options.seed);
    const PairedComparison up = compare_pairs(opposite, options.resamples, options.seed);
    const double p = std::min(1.0, 2.0 * std::min(down.p_worse, up.p_worse)), from = score["a"];
    const auto in_figure = [&](double of_means) { return figure_difference(pairs.figure, from, of_means); };
    const auto [low, high] = std::minmax({in_figure(down.interval.low), in_figure(down.interval.high)});
    score["samples"] = differences.size();
    score["mean_difference"] = in_figure(down.difference);
    score["low"] = low;
    score["high"] = high;
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
        const int direction = told != left.higher_is_better.end() ? (told->second ? 1 : -1) : metric_direction(name);
        const double difference = other->second - value;
        Json score{{"name", name}, {"a", value}, {"b", other->second}, {"difference", difference}};
        score["better"] = direction == 0 ? Json() : Json(difference == 0 ? "" : difference * direction > 0 ? "b" : "a");
        add_certainty(score, pair_samples({right, name, "b"}, {left, name, "a"}), options);
        scores.push_back(std::move(score));
    }
    return scores;
}

}  // namespace temper
