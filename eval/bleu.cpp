// BLEU as sacrebleu 2.6 computes it: corpus statistics, exponential smoothing, one length the closest reference's.       [Papineni et al. 2002]
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "eval/bleu_tokens.h"
#include "eval/metric_families.h"
#include "eval/python_text.h"

namespace temper {
namespace {

constexpr std::size_t order = 4;
// Where they stand among the statistics of a row.
constexpr std::size_t prediction_length = 0, reference_length = 1, matches = 2, totals = matches + order, statistics_width = totals + order;

using Ngrams = std::map<std::vector<std::string>, std::int64_t>;  // of 1 to `order` tokens

Ngrams count_ngrams(const std::vector<std::string>& tokens) {
    Ngrams counts;
    for (std::size_t n = 1; n <= order; ++n)
        for (std::size_t i = 0; i + n <= tokens.size(); ++i) {
            const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(i);
            ++counts[{begin, begin + static_cast<std::ptrdiff_t>(n)}];
        }
    return counts;
}

// `effective`: orders that a short prediction does not have are left out, as of sentences alone.
double bleu(const double* sums, bool effective) {
    double precision_logs = 0.0, smooth = 1.0;
    if (std::all_of(sums + matches, sums + totals, [](double count) { return count == 0.0; })) return 0.0;
    std::size_t orders = order, seen = 0;
    for (std::size_t n = 0; n < order && sums[totals + n] != 0.0; ++n, ++seen) {
        if (effective) orders = n + 1;
        const double total = sums[totals + n];
        double precision = 100.0 * sums[matches + n] / total;
        if (sums[matches + n] == 0.0) {
            smooth *= 2.0;
            precision = 100.0 / (smooth * total);
        }
        precision_logs += std::log(precision);
    }
    constexpr double log_of_zero = -9999999999.0;
    if (seen < orders) precision_logs += static_cast<double>(orders - seen) * log_of_zero;
    const double found = sums[prediction_length], expected = sums[reference_length];
    const double brevity = found >= expected ? 1.0 : found > 0.0 ? std::exp(1.0 - expected / found) : 0.0;
    return brevity * std::exp(precision_logs / static_cast<double>(orders));
}

class Bleu : public TextMetric {
  public:
    explicit Bleu(const MetricOptions& options) : lowercase_(options.lowercase), tokenizer_(options.tokenizer) { check_bleu_tokenizer(tokenizer_); }
    std::string name() const override { return "bleu"; }
    std::string signature() const override {
        return std::string("case:") + (lowercase_ ? "lc" : "mixed") + "|eff:no|tok:" + tokenizer_ + "|smooth:exp|version:2.6.0";
    }
    std::size_t width() const override { return statistics_width; }
    void statistics(const TextRow& row, double* to) const override {
        std::fill(to, to + statistics_width, 0.0);
        const std::vector<std::string> tokens = tokens_of(row.prediction);
        Ngrams allowed;  // as often as the reference that has an n-gram most often
        double closest = -1.0;
        const auto length = static_cast<double>(tokens.size());
        for (const std::string& reference : row.references) {
            const std::vector<std::string> expected = tokens_of(reference);
            for (const auto& [ngram, count] : count_ngrams(expected)) allowed[ngram] = std::max(allowed[ngram], count);
            const auto size = static_cast<double>(expected.size());
            const double distance = std::abs(size - length), best = std::abs(closest - length);
            if (closest < 0.0 || distance < best || (distance == best && size < closest)) closest = size;
        }
        to[prediction_length] = length;
        to[reference_length] = closest;
        for (const auto& [ngram, count] : count_ngrams(tokens)) {
            to[totals + ngram.size() - 1] += static_cast<double>(count);
            if (const auto found = allowed.find(ngram); found != allowed.end())
                to[matches + ngram.size() - 1] += static_cast<double>(std::min(count, found->second));
        }
    }
    double value(const double* sums) const override { return bleu(sums, false); }
    double row_value(const double* statistics) const override { return bleu(statistics, true); }

  private:
    std::vector<std::string> tokens_of(const std::string& text) const {
        const std::string_view line = python_rstrip(text);
        return lowercase_ ? bleu_tokens(python_rstrip(python_lower(text)), tokenizer_) : bleu_tokens(line, tokenizer_);
    }

    bool lowercase_;
    std::string tokenizer_;
};

}  // namespace

std::unique_ptr<TextMetric> make_bleu(const std::string& name, const MetricOptions& options) {
    return name == "bleu" ? std::make_unique<Bleu>(options) : nullptr;
}

}  // namespace temper
