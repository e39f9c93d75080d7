// The samples of two records beside one another, document by document.
#pragma once
#include <string>
#include <vector>

#include "runs/figures.h"

namespace temper {

// What a figure is of the mean m of its samples' values: m, or of log-probabilities exp(-m), or -m / ln 2.
enum class FigureOf : std::uint8_t { mean, perplexity, bits };

struct PairedSamples {
    std::vector<double> differences;  // ours less theirs, in the order of the documents' names; their mean is the difference of the two means
    FigureOf figure = FigureOf::mean;
    std::string fault;  // why the figures cannot be compared by their samples; then there are no differences
};

// One side: a figure by its full name, and what messages call its record.
struct SampledFigure {
    const Figures& figures;
    std::string metric, side;
};
PairedSamples pair_samples(const SampledFigure& ours, const SampledFigure& theirs);

}  // namespace temper
