#include "runs/time_ratios.h"

#include <algorithm>
#include <cmath>

namespace temper {
namespace {

// Rank k (from 0) such that the k-th smallest and the k-th largest of n values enclose the median with at least this confidence:
// the number of values below the median is binomial with p = 1/2.
std::size_t order_rank(std::size_t n, double confidence) {
    const double tail = (1.0 - confidence) / 2.0, size = static_cast<double>(n);
    double below = 0.0;
    for (std::size_t k = 0; k <= n / 2; ++k) {
        const double i = static_cast<double>(k);
        below += std::exp(std::lgamma(size + 1) - std::lgamma(i + 1) - std::lgamma(size - i + 1) - size * std::log(2.0));
        if (below > tail) return k == 0 ? 0 : k - 1;
    }
    return n / 2;
}

}  // namespace

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t n = values.size();
    return n % 2 == 1 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

RatioVerdict judge_ratios(const std::vector<std::vector<double>>& rounds, double threshold) {
    RatioVerdict verdict;
    std::vector<double> medians, all;
    for (const std::vector<double>& round : rounds) {
        if (round.empty()) return verdict;
        medians.push_back(median(round));
        all.insert(all.end(), round.begin(), round.end());
    }
    if (medians.empty()) return verdict;
    std::sort(all.begin(), all.end());
    const std::size_t rank = order_rank(all.size(), 0.998);
    verdict.ratio = median(medians);
    verdict.lower = all[rank];
    verdict.upper = all[all.size() - 1 - rank];
    verdict.slower = verdict.ratio > 1.0 + threshold && verdict.lower > 1.0 + threshold / 2;
    verdict.faster = verdict.ratio < 1.0 / (1.0 + threshold) && verdict.upper < 1.0 / (1.0 + threshold / 2);
    return verdict;
}

}  // namespace temper
