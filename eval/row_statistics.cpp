#include "eval/row_statistics.h"

namespace temper {

double value_of(const RowStatistics& statistics) {
    const std::size_t width = statistics.metric->width();
    std::vector<double> sums(width);
    for (std::int64_t i = 0; i < statistics.rows(); ++i)
        for (std::size_t j = 0; j < width; ++j) sums[j] += statistics.row(i)[j];
    return statistics.metric->value(sums.data());
}

std::vector<double> resample(const RowStatistics& statistics, std::int64_t count, std::uint64_t seed, int threads) {
    const TextMetric& metric = *statistics.metric;
    return resample_rows(
        statistics.numbers, metric.width(), [&](const double* sums) { return metric.value(sums); }, count, seed, threads);
}

}  // namespace temper
