// The verdict on times taken in turns: real differences are found, noise is not, on simulated machines with bursts of other load.
#include "runs/time_ratios.h"

#include <cmath>
#include <random>

#include <gtest/gtest.h>

namespace temper {
namespace {

// Ratios as a shared machine gives them: every time has some noise, one in ten meets a burst, and a process has its own luck.
std::vector<std::vector<double>> simulate(std::mt19937& random, double slow_down) {
    std::normal_distribution<double> noise(0.0, 0.04), luck(0.0, 0.01);
    std::uniform_real_distribution<double> uniform;
    std::vector<std::vector<double>> rounds(5);
    for (auto& round : rounds) {
        const double bias = luck(random);
        for (int pair = 0; pair < 12; ++pair) {
            const auto time = [&] { return std::exp(noise(random)) * (uniform(random) < 0.1 ? 1.0 + uniform(random) : 1.0); };
            round.push_back(time() * slow_down * std::exp(bias) / time());
        }
    }
    return rounds;
}

TEST(TimeRatios, FindsATenPercentSlowDownAndRaisesNoAlarmWithoutOne) {
    std::mt19937 random(7);
    int found = 0, alarms = 0, gains = 0;
    for (int trial = 0; trial < 200; ++trial) {
        found += judge_ratios(simulate(random, 1.10), 0.05).slower ? 1 : 0;
        alarms += judge_ratios(simulate(random, 1.0), 0.05).slower ? 1 : 0;
        gains += judge_ratios(simulate(random, 1.0 / 1.10), 0.05).faster ? 1 : 0;
    }
    EXPECT_GE(found, 195);
    EXPECT_LE(alarms, 2);
    EXPECT_GE(gains, 195);
}

TEST(TimeRatios, TheBoundsAreOrderStatistics) {
    // Of 10 values the smallest and the largest enclose the median with 1 - 2 / 1024 = 99.80%.
    const RatioVerdict verdict = judge_ratios({{5, 1, 9, 3, 7}, {2, 10, 4, 8, 6}}, 0.05);
    EXPECT_EQ(verdict.lower, 1);
    EXPECT_EQ(verdict.upper, 10);
    EXPECT_EQ(verdict.ratio, 5.5);
    EXPECT_FALSE(verdict.slower);
}

TEST(TimeRatios, WithoutTimesThereIsNoVerdict) {
    EXPECT_FALSE(judge_ratios({}, 0.05).slower);
    EXPECT_FALSE(judge_ratios({{2.0}, {}}, 0.05).slower);
}

}  // namespace
}  // namespace temper
