// How far a value of a set of rows would move with other rows like these: resampling with replacement.                        [Efron & Tibshirani 1993]
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace temper {

struct Interval {
    double low = 0.0, high = 0.0;
};

// What a set of rows is worth, from the sums of its rows' numbers. Called from several threads.
using ValueOfSums = std::function<double(const double* sums)>;

// Values of `count` resamples of N of the N rows of `numbers`, (N, width); resample i takes the same rows for every set of N rows. On so many
// threads, 0: as many as the machine gives a rank; they change no bit.
std::vector<double> resample_rows(const std::vector<double>& numbers, std::size_t width, const ValueOfSums& value, std::int64_t count,
                                  std::uint64_t seed, int threads = 0);
// The middle 95% of a resample's values: its 1/40 at either end are left out, as sacrebleu does.
Interval confidence_interval(std::vector<double> values);
// The same of the differences of two systems' values over the same resamples, ours less theirs.
Interval difference_interval(const std::vector<double>& ours, const std::vector<double>& theirs);
// p of the hypothesis that two systems are equal, from their values over the same resamples and over all rows; two-sided: how often resampled
// differences lie as far from their mean as the difference lies from 0. 1 for equal systems, where sacrebleu's test, which centres absolute
// differences, gives its smallest p.                                                                    [Koehn 2004; Efron & Tibshirani 1993, 16]
double paired_p_value(const std::vector<double>& ours, const std::vector<double>& theirs, double difference);

// Differences of two systems' values, ours less theirs, when it is chance which of the two a row's numbers, (N, width) of each, are of: `count`
// draws, draw i swaps the same rows for every pair of systems with N rows. Right for few rows as well, where resampling is not.
//                                                                                                       [Noreen 1989; Riezler & Maxwell 2005]
std::vector<double> swapped_differences(const std::vector<double>& ours, const std::vector<double>& theirs, std::size_t width,
                                        const ValueOfSums& value, std::int64_t count, std::uint64_t seed, int threads = 0);

// Two systems on the same rows, from the differences of their rows' values: positive is better.
struct PairedComparison {
    double difference = 0.0;      // the mean
    double standard_error = 0.0;  // of it
    double largest = 0.0;         // of the differences, without their signs
    std::int64_t rows = 0;
    Interval interval;     // 95%, of the mean
    double p_worse = 1.0;  // one-sided: of a mean so low, were the systems equal
};
// The interval is of resampled means, spread around their own mean by sqrt(N / (N - 1)) more than they fall. p is of them as well from `few_rows` rows
// on; of fewer, whose means stray further than the resampled ones do, of rows swapped at random.
constexpr std::int64_t few_rows = 50;
PairedComparison compare_pairs(const std::vector<double>& differences, std::int64_t resamples, std::uint64_t seed);
// The least p_worse that so many rows can have: every one of them is worse, as one draw of 2^N has it.
double least_p_value(std::int64_t rows);
// The drop of the mean that a test at `level` over rows like these finds with probability `power` at least. A drop makes more rows differ, by as
// much as one does at most, and widens the spread: rows that are right or wrong need this.
double detectable_drop(const PairedComparison& found, double level, double power);

}  // namespace temper
