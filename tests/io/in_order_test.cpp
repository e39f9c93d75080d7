#include "io/in_order.h"

#include <chrono>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace temper {
namespace {

struct Number {
    int value = -1, square = 0;
};

// Numbers below `count`; what is made of `bad` throws. The later ones of a few are made faster than the earlier ones.
struct Outcome {
    std::vector<int> given;
    std::string failure;
    int most_at_once = 0;
};
Outcome squares(int threads, int count, int bad = -1, int bad_take = -1) {
    Outcome outcome;
    std::atomic<int> at_once{0}, most{0};
    int next = 0;
    try {
        in_order<Number>(
            threads,
            [&](Number& number) {
                if (next == bad_take) throw std::runtime_error("take " + std::to_string(next));
                const int now = ++at_once;
                for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) continue;
                if (next == count) return false;
                number.value = next++;
                return true;
            },
            [&](Number& number) {
                std::this_thread::sleep_for(std::chrono::microseconds(500 * (3 - number.value % 4)));
                if (number.value == bad || (bad >= 0 && number.value == bad + 2)) throw std::runtime_error(std::to_string(number.value));
                number.square = number.value * number.value;
            },
            [&](const Number& number) {
                --at_once;
                outcome.given.push_back(number.square);
            });
    } catch (const std::runtime_error& error) {
        outcome.failure = error.what();
    }
    outcome.most_at_once = most;
    return outcome;
}

std::vector<int> squares_below(int count) {
    std::vector<int> result;
    for (int i = 0; i < count; ++i) result.push_back(i * i);
    return result;
}

TEST(InOrder, EveryPieceOnceInItsPlace) {
    for (const int threads : {1, 2, 3, 8})
        for (const int count : {0, 1, 2, 100}) {
            const Outcome outcome = squares(threads, count);
            EXPECT_EQ(outcome.given, squares_below(count)) << threads;
            EXPECT_EQ(outcome.failure, "");
        }
}

TEST(InOrder, PiecesInMemoryAreBounded) { EXPECT_LE(squares(3, 200).most_at_once, 3 * 3 + 3); }  // and those that were not there

TEST(InOrder, TheFirstFailureIsThrownAndNothingBehindItGiven) {
    for (const int threads : {1, 2, 3, 8}) {
        const Outcome made = squares(threads, 100, 37), taken = squares(threads, 100, -1, 37);
        EXPECT_EQ(made.given, squares_below(37)) << threads;
        EXPECT_EQ(made.failure, "37");
        EXPECT_EQ(taken.given, squares_below(37)) << threads;
        EXPECT_EQ(taken.failure, "take 37");
    }
}

}  // namespace
}  // namespace temper
