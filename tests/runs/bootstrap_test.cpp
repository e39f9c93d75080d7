#include "runs/bootstrap.h"

#include <cmath>
#include <mutex>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "kernels/random.h"

namespace temper {
namespace {

double uniform(std::uint64_t seed, std::uint64_t trial, std::uint64_t row) { return philox(seed, trial, row)[0] / 4294967296.0; }

// Differences of two systems that are right with these probabilities, each on its own.
std::vector<double> differences_of(double ours, double theirs, std::uint64_t trial, std::uint64_t rows) {
    std::vector<double> differences;
    for (std::uint64_t row = 0; row < rows; ++row)
        differences.push_back((uniform(1, trial, row) < ours ? 1.0 : 0.0) - (uniform(2, trial, row) < theirs ? 1.0 : 0.0));
    return differences;
}

TEST(Bootstrap, ComparesPairsByTheirDifferences) {
    const std::vector<double> differences = differences_of(0.6, 0.6, 7, 400);
    const PairedComparison found = compare_pairs(differences, 4000, 1);
    double mean = 0.0, squares = 0.0;
    for (const double d : differences) mean += d / 400.0;
    for (const double d : differences) squares += (d - mean) * (d - mean);
    EXPECT_NEAR(found.difference, mean, 1e-12);
    EXPECT_NEAR(found.standard_error, std::sqrt(squares / 399.0 / 400.0), 1e-12);
    // For 400 rows the mean is as good as normal.
    EXPECT_NEAR(found.interval.low, mean - 1.96 * found.standard_error, 0.2 * found.standard_error);
    EXPECT_NEAR(found.interval.high, mean + 1.96 * found.standard_error, 0.2 * found.standard_error);
    EXPECT_NEAR(found.p_worse, 0.5 * std::erfc(-mean / found.standard_error / std::sqrt(2.0)), 0.03);
}

TEST(Bootstrap, HasNothingToDrawFromInRowsThatAreAlike) {
    EXPECT_EQ(compare_pairs({}, 1000, 1).p_worse, 1.0);
    EXPECT_EQ(compare_pairs({-1.0}, 1000, 1).p_worse, 0.5);
    EXPECT_EQ(compare_pairs({0.0, 0.0, 0.0}, 1000, 1).p_worse, 1.0);
    EXPECT_EQ(compare_pairs({0.5, 0.5, 0.5}, 1000, 1).p_worse, 1.0);
    EXPECT_EQ(compare_pairs({-0.5, -0.5, -0.5}, 1000, 1).p_worse, 0.125);  // as likely as three heads
}

// Of few rows the signs are drawn: the level holds where resampled means, of numbers like these, are twice as often too low.
TEST(Bootstrap, KeepsItsLevelOfFewRows) {
    for (const std::uint64_t rows : {5u, 10u}) {
        int alarms = 0;
        for (std::uint64_t trial = 0; trial < 1000; ++trial) {
            std::vector<double> differences;
            for (std::uint64_t row = 0; row < rows; ++row) {
                double sum = -6.0;  // of twelve uniform numbers: nearly normal
                for (std::uint64_t draw = 0; draw < 3; ++draw)
                    for (const std::uint32_t drawn : philox(trial + 1, row, draw)) sum += drawn / 4294967296.0;
                differences.push_back(sum);
            }
            alarms += compare_pairs(differences, 399, trial).p_worse <= 0.05;
        }
        EXPECT_LE(alarms, 50 + 3 * 7) << rows << " rows";
        EXPECT_GE(alarms, 15) << rows << " rows";
    }
    EXPECT_EQ(least_p_value(5), 1.0 / 32);
}

TEST(Bootstrap, SwapsRowsOfTwoSystemsWhole) {
    // Two numbers a row: a swap takes both, and the differences are those of the four ways to swap two rows.
    const std::vector<double> found = swapped_differences(
        {1.0, 2.0, 4.0, 8.0}, {0.0, 0.0, 0.0, 0.0}, 2, [](const double* sums) { return sums[0] + 100.0 * sums[1]; }, 200, 5);
    EXPECT_EQ(std::set<double>(found.begin(), found.end()), (std::set<double>{-1005.0, -603.0, 603.0, 1005.0}));
}

TEST(Bootstrap, IsTheSameForAnyNumberOfThreadsAndSeesItsSeed) {
    const std::vector<double> differences = differences_of(0.5, 0.6, 3, 100);
    EXPECT_EQ(compare_pairs(differences, 999, 1).p_worse, compare_pairs(differences, 999, 1).p_worse);
    EXPECT_NE(compare_pairs(differences, 999, 1).interval.low + compare_pairs(differences, 999, 1).p_worse,
              compare_pairs(differences, 999, 2).interval.low + compare_pairs(differences, 999, 2).p_worse);
}

// Of 1,000 pairs of equal systems at most as many are called worse as the level says, give or take three standard errors; a system that is worse by
// what a test can find with 80% is called worse at least as often.
TEST(Bootstrap, KeepsItsLevelAndHasItsPower) {
    const double level = 0.05;
    for (const std::uint64_t rows : {40u, 150u}) {
        int alarms = 0, found = 0;
        for (std::uint64_t trial = 0; trial < 1000; ++trial)
            alarms += compare_pairs(differences_of(0.6, 0.6, trial, rows), 499, trial).p_worse <= level;
        EXPECT_LE(alarms, 50 + 3 * 7) << rows << " rows";
        EXPECT_GE(alarms, 15) << rows << " rows";
        PairedComparison typical;
        typical.rows = static_cast<std::int64_t>(rows);
        typical.largest = 1.0;
        typical.standard_error = std::sqrt((0.6 * 0.4 + 0.4 * 0.6) / static_cast<double>(rows));
        const double drop = detectable_drop(typical, level, 0.8);
        EXPECT_GT(drop, 2.486 * typical.standard_error);  // the quantiles of 95% and 80%
        EXPECT_LT(drop, 3.5 * typical.standard_error);
        for (std::uint64_t trial = 0; trial < 1000; ++trial)
            found += compare_pairs(differences_of(0.6 - drop, 0.6, trial, rows), 499, trial).p_worse <= level;
        EXPECT_GE(found, 800 - 3 * 13) << rows << " rows";
    }
}

TEST(Bootstrap, ThreadsChangeNoBitAndAnErrorReachesTheCaller) {
    const std::vector<double> numbers = differences_of(0.6, 0.5, 1, 50);
    const auto sum = [](const double* sums) { return sums[0]; };
    const std::vector<double> one = resample_rows(numbers, 1, sum, 997, 3, 1);
    for (const int threads : {2, 3, 8}) EXPECT_EQ(resample_rows(numbers, 1, sum, 997, 3, threads), one);
    std::mutex mutex;
    std::set<std::thread::id> seen;
    const auto note_thread = [&](const double*) {
        const std::lock_guard lock(mutex);
        seen.insert(std::this_thread::get_id());
        return 0.0;
    };
    resample_rows(numbers, 1, note_thread, 997, 3, 3);
    EXPECT_LE(seen.size(), 3u);
    const auto fail = [](const double*) -> double { throw Error(ExitCode::bad_data, "a metric that refuses"); };
    for (const int threads : {1, 4}) EXPECT_THROW(resample_rows(numbers, 1, fail, 997, 3, threads), Error);
}

}  // namespace
}  // namespace temper
