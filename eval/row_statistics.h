// The statistics of a set of rows by a text metric, and the values of its resamples.
#pragma once
#include <cstdint>
#include <vector>

#include "eval/text_metric.h"
#include "runs/bootstrap.h"

namespace temper {

// The statistics of N rows of a metric, one row after the other.
struct RowStatistics {
    const TextMetric* metric = nullptr;
    std::vector<double> numbers;  // (N, width)

    std::int64_t rows() const { return static_cast<std::int64_t>(numbers.size() / metric->width()); }
    const double* row(std::int64_t index) const { return numbers.data() + static_cast<std::size_t>(index) * metric->width(); }
};

double value_of(const RowStatistics& statistics);
// Values of `count` resamples of N of the N rows; resample i takes the same rows for every metric and every system with N rows.
// `threads`: as of resample_rows.
std::vector<double> resample(const RowStatistics& statistics, std::int64_t count, std::uint64_t seed, int threads = 0);

}  // namespace temper
