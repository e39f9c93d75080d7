#include "eval/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/random.h"

namespace temper {

double value_of(const RowStatistics& statistics) {
    const std::size_t width = statistics.metric->width();
    std::vector<double> sums(width);
    for (std::int64_t i = 0; i < statistics.rows(); ++i)
        for (std::size_t j = 0; j < width; ++j) sums[j] += statistics.row(i)[j];
    return statistics.metric->value(sums.data());
}

std::vector<double> resample(const RowStatistics& statistics, std::int64_t count, std::uint64_t seed) {
    const std::size_t width = statistics.metric->width();
    const std::int64_t rows = statistics.rows();
    std::vector<double> values(static_cast<std::size_t>(count));
#pragma omp parallel
    {
        std::vector<double> sums(width);
#pragma omp for schedule(static)
        for (std::int64_t i = 0; i < count; ++i) {
            std::fill(sums.begin(), sums.end(), 0.0);
            for (std::int64_t draw = 0; draw < rows; draw += 4) {
                const std::array<std::uint32_t, 4> numbers = philox(seed, static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(draw / 4));
                for (std::int64_t k = 0; k < std::min<std::int64_t>(4, rows - draw); ++k) {
                    const auto row = static_cast<std::int64_t>(
                        (static_cast<std::uint64_t>(numbers[static_cast<std::size_t>(k)]) * static_cast<std::uint64_t>(rows)) >> 32);
                    for (std::size_t j = 0; j < width; ++j) sums[j] += statistics.row(row)[j];
                }
            }
            values[static_cast<std::size_t>(i)] = statistics.metric->value(sums.data());
        }
    }
    return values;
}

Interval confidence_interval(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t outside = values.size() / 40;
    return {values[outside], values[values.size() - outside - 1]};
}

Interval difference_interval(const std::vector<double>& ours, const std::vector<double>& theirs) {
    std::vector<double> differences(ours.size());
    for (std::size_t i = 0; i < ours.size(); ++i) differences[i] = ours[i] - theirs[i];
    return confidence_interval(std::move(differences));
}

double paired_p_value(const std::vector<double>& ours, const std::vector<double>& theirs, double difference) {
    std::vector<double> differences(ours.size());
    for (std::size_t i = 0; i < ours.size(); ++i) differences[i] = ours[i] - theirs[i];
    const double mean = std::accumulate(differences.begin(), differences.end(), 0.0) / static_cast<double>(differences.size());
    // Sums of other rows come out a little different where they are equal.
    const double least = std::abs(difference) * (1.0 - 1e-9);
    const auto as_far = std::count_if(differences.begin(), differences.end(), [&](double d) { return std::abs(d - mean) >= least; });
    return static_cast<double>(as_far + 1) / static_cast<double>(differences.size() + 1);
}

}  // namespace temper
