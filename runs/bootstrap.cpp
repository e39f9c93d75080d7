#include "runs/bootstrap.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "io/jobs.h"
#include "io/machine.h"
#include "kernels/random.h"

namespace temper {
namespace {

double mean_of(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size()); }

// The standard normal's x with P(X > x) = tail, by bisection.
double normal_upper_quantile(double tail) {
    double low = -40.0, high = 40.0;
    for (int i = 0; i < 100; ++i) {
        const double middle = 0.5 * (low + high);
        (0.5 * std::erfc(middle / std::sqrt(2.0)) > tail ? low : high) = middle;
    }
    return low;
}

}  // namespace

std::vector<double> resample_rows(const std::vector<double>& numbers, std::size_t width, const ValueOfSums& value, std::int64_t count,
                                  std::uint64_t seed, int threads) {
    const auto rows = static_cast<std::int64_t>(numbers.size() / width);
    std::vector<double> values(static_cast<std::size_t>(count));
    run_jobs<std::vector<double>>(resolve_threads(threads), count, [&](std::int64_t i, std::vector<double>& sums) {
        sums.assign(width, 0.0);
        for (std::int64_t draw = 0; draw < rows; draw += 4) {
            const std::array<std::uint32_t, 4> drawn = philox(seed, static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(draw / 4));
            for (std::int64_t k = 0; k < std::min<std::int64_t>(4, rows - draw); ++k) {
                const std::uint64_t row = (static_cast<std::uint64_t>(drawn[static_cast<std::size_t>(k)]) * static_cast<std::uint64_t>(rows)) >> 32;
                for (std::size_t j = 0; j < width; ++j) sums[j] += numbers[row * width + j];
            }
        }
        values[static_cast<std::size_t>(i)] = value(sums.data());
    });
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
    const double mean = mean_of(differences);
    // Sums of other rows come out a little different where they are equal.
    const double least = std::abs(difference) * (1.0 - 1e-9);
    const auto as_far = std::count_if(differences.begin(), differences.end(), [&](double d) { return std::abs(d - mean) >= least; });
    return static_cast<double>(as_far + 1) / static_cast<double>(differences.size() + 1);
}

std::vector<double> swapped_differences(const std::vector<double>& ours, const std::vector<double>& theirs, std::size_t width,
                                        const ValueOfSums& value, std::int64_t count, std::uint64_t seed, int threads) {
    const std::size_t rows = ours.size() / width;
    std::vector<double> differences(static_cast<std::size_t>(count));
    using Sums = std::pair<std::vector<double>, std::vector<double>>;
    run_jobs<Sums>(resolve_threads(threads), count, [&](std::int64_t i, Sums& sums) {
        auto& [first, second] = sums;
        first.assign(width, 0.0);
        second.assign(width, 0.0);
        for (std::size_t row = 0; row < rows; ++row) {
            const double *a = ours.data() + row * width, *b = theirs.data() + row * width;
            if (philox(seed, static_cast<std::uint64_t>(i), row)[0] >> 31 != 0) std::swap(a, b);
            for (std::size_t j = 0; j < width; ++j) first[j] += a[j], second[j] += b[j];
        }
        differences[static_cast<std::size_t>(i)] = value(first.data()) - value(second.data());
    });
    return differences;
}

PairedComparison compare_pairs(const std::vector<double>& differences, std::int64_t resamples, std::uint64_t seed) {
    PairedComparison found;
    if (differences.empty()) return found;
    const auto rows = static_cast<double>(differences.size());
    found.rows = static_cast<std::int64_t>(differences.size());
    found.difference = mean_of(differences);
    for (const double d : differences) found.largest = std::max(found.largest, std::abs(d));
    found.interval = {found.difference, found.difference};
    double squares = 0.0;
    for (const double d : differences) squares += (d - found.difference) * (d - found.difference);
    if (squares == 0.0 || resamples < 1) {  // one row, or all alike: nothing to draw from
        found.p_worse = found.difference < 0.0 && squares == 0.0 ? least_p_value(found.rows) : 1.0;
        return found;
    }
    found.standard_error = std::sqrt(squares / (rows - 1.0) / rows);
    const double spread = std::sqrt(rows / (rows - 1.0));
    std::vector<double> means = resample_rows(
        differences, 1, [&](const double* sum) { return sum[0] / rows; }, resamples, seed);
    // A sum of the same numbers in another order is the same number here.
    const double slack = 1e-12 * std::abs(found.difference);
    std::int64_t as_low = 0;
    for (double& mean : means) {
        const double deviation = spread * (mean - found.difference);
        as_low += deviation <= found.difference + slack;
        mean = found.difference + deviation;
    }
    if (found.rows < few_rows) {
        const auto sum = [](const double* sums) { return sums[0]; };
        const double total = rows * found.difference, most = total + 1e-9 * std::abs(total);
        const std::vector<double> swapped = swapped_differences(differences, std::vector<double>(differences.size()), 1, sum, resamples, seed);
        as_low = std::count_if(swapped.begin(), swapped.end(), [&](double difference) { return difference <= most; });
    }
    found.p_worse = static_cast<double>(as_low + 1) / static_cast<double>(resamples + 1);
    found.interval = confidence_interval(std::move(means));
    return found;
}

double least_p_value(std::int64_t rows) { return std::ldexp(1.0, -static_cast<int>(std::min<std::int64_t>(rows, 1000))); }

// drop = z * error, error^2 = standard_error^2 + drop * largest / rows.
double detectable_drop(const PairedComparison& found, double level, double power) {
    const double z = normal_upper_quantile(level) + normal_upper_quantile(1.0 - power);
    const double wider = z * z * found.largest / static_cast<double>(std::max<std::int64_t>(1, found.rows));
    return 0.5 * (wider + std::sqrt(wider * wider + 4.0 * z * z * found.standard_error * found.standard_error));
}

}  // namespace temper
