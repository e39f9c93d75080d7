#include "runs/paired_samples.h"

#include <cmath>
#include <numbers>
#include <optional>

#include <fmt/format.h>

namespace temper {
namespace {

using Samples = std::map<std::string, Sample>;

double weight_of(const Sample& sample) { return sample.weight.value_or(1.0); }

double weights_of(const Samples& samples) {
    double sum = 0.0;
    for (const auto& [document, sample] : samples) sum += weight_of(sample);
    return sum;
}

double mean_of(const Samples& samples) {
    double sum = 0.0;
    for (const auto& [document, sample] : samples) sum += sample.value;
    return sum / weights_of(samples);
}

// Why these are not the same documents; empty where they are.
std::string mismatch(const Samples& ours, const Samples& theirs, const std::string& side) {
    if (ours.size() != theirs.size()) return fmt::format("{} samples, {} has {}: compare on the same documents", ours.size(), side, theirs.size());
    for (auto a = ours.begin(), b = theirs.begin(); a != ours.end(); ++a, ++b) {
        if (a->first != b->first) return fmt::format("{} is not in {}: compare on the same documents", a->first, side);
        if (a->second.hash != b->second.hash && !a->second.hash.empty() && !b->second.hash.empty())
            return fmt::format("{} is another document in {} (doc_hash): evaluate it again", a->first, side);
        if (!std::isfinite(a->second.value) || !std::isfinite(b->second.value)) return fmt::format("the value of {} is not finite", a->first);
    }
    return "";
}

// As what both figures are of the means of their samples; none where they are something else, as bleu is.
std::optional<FigureOf> figure_of_means(double our_figure, double our_mean, double their_figure, double their_mean) {
    const auto near = [](double a, double b) { return std::abs(a - b) <= 1e-6 * std::max(1.0, std::abs(b)); };
    const auto both = [&](auto of) { return near(of(our_mean), our_figure) && near(of(their_mean), their_figure); };
    if (both([](double mean) { return mean; })) return FigureOf::mean;
    if (both([](double mean) { return std::exp(-mean); })) return FigureOf::perplexity;
    if (both([](double mean) { return -mean / std::numbers::ln2; })) return FigureOf::bits;
    return std::nullopt;
}

}  // namespace

PairedSamples pair_samples(const SampledFigure& ours, const SampledFigure& theirs) {
    const Samples our_samples = samples_of(ours.figures, ours.metric), their_samples = samples_of(theirs.figures, theirs.metric);
    PairedSamples pairs;
    if (our_samples.empty() || their_samples.empty())
        pairs.fault = fmt::format("{} keeps no values of its samples", our_samples.empty() ? ours.side : theirs.side);
    else pairs.fault = mismatch(our_samples, their_samples, theirs.side);
    if (!pairs.fault.empty()) return pairs;
    const auto figure =
        figure_of_means(ours.figures.values.at(ours.metric), mean_of(our_samples), theirs.figures.values.at(theirs.metric), mean_of(their_samples));
    if (!figure) {
        pairs.fault = "the figure is not the mean of its samples' values, and cannot be tested by them";
        return pairs;
    }
    pairs.figure = *figure;
    // Of texts of many words or bytes the mean is one a word or byte.
    const double share = static_cast<double>(our_samples.size()) / weights_of(our_samples);
    for (auto a = our_samples.begin(), b = their_samples.begin(); a != our_samples.end(); ++a, ++b) {
        if (weight_of(a->second) != weight_of(b->second)) {
            pairs.fault = fmt::format("{} has {} words or bytes, in {} {}: compare on the same documents", a->first, weight_of(a->second),
                                      theirs.side, weight_of(b->second));
            pairs.differences.clear();
            return pairs;
        }
        pairs.differences.push_back((a->second.value - b->second.value) * share);
    }
    return pairs;
}

}  // namespace temper
