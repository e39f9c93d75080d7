// How far a value of a set of rows would move with other rows like these: resampling with replacement.                        [Efron & Tibshirani 1993]
#pragma once
#include <cstdint>
#include <vector>

#include "eval/text_metric.h"

namespace temper {

struct Interval {
    double low = 0.0, high = 0.0;
};

// The statistics of N rows of a metric, one row after the other.
struct RowStatistics {
    const TextMetric* metric = nullptr;
    std::vector<double> numbers;  // (N, width)

    std::int64_t rows() const { return static_cast<std::int64_t>(numbers.size() / metric->width()); }
    const double* row(std::int64_t index) const { return numbers.data() + static_cast<std::size_t>(index) * metric->width(); }
};

double value_of(const RowStatistics& statistics);
// Values of `count` resamples of N of the N rows; resample i takes the same rows for every metric and every system with N rows.
std::vector<double> resample(const RowStatistics& statistics, std::int64_t count, std::uint64_t seed);
// The middle 95% of a resample's values: its 1/40 at either end are left out, as sacrebleu does.
Interval confidence_interval(std::vector<double> values);
// The same of the differences of two systems' values over the same resamples, ours less theirs.
Interval difference_interval(const std::vector<double>& ours, const std::vector<double>& theirs);
// p of the hypothesis that two systems are equal, from their values over the same resamples and over all rows; two-sided: how often resampled
// differences lie as far from their mean as the difference lies from 0. 1 for equal systems, where sacrebleu's test, which centres absolute
// differences, gives its smallest p.                                                                    [Koehn 2004; Efron & Tibshirani 1993, 16]
double paired_p_value(const std::vector<double>& ours, const std::vector<double>& theirs, double difference);

}  // namespace temper
