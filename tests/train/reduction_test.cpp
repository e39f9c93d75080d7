// Room of the tree of gradients: no rank holds more complete subtrees than were counted, wherever its leaves begin.
#include <algorithm>
#include <cstdint>

#include <gtest/gtest.h>

#include "train/reduction.h"

namespace temper {
namespace {

// Complete subtrees of leaves [begin, end): from the left, each time the largest that begins there and ends within.
std::int64_t subtrees(std::int64_t begin, std::int64_t end) {
    std::int64_t count = 0;
    while (begin < end) {
        std::int64_t size = 1;
        while (begin % (2 * size) == 0 && begin + 2 * size <= end) size *= 2;
        begin += size;
        ++count;
    }
    return count;
}

TEST(TreeReducer, room_for_every_share_of_the_leaves) {
    for (std::int64_t leaves = 1; leaves <= 70; ++leaves) {
        std::int64_t alone = 0, apart = 0;
        for (std::int64_t end = 1; end <= leaves; ++end) {
            alone = std::max(alone, subtrees(0, end));
            for (std::int64_t begin = 1; begin < end; ++begin) apart = std::max(apart, subtrees(begin, end));
        }
        EXPECT_EQ(TreeReducer::predict_buffers(leaves, 1), alone) << leaves;
        EXPECT_GE(TreeReducer::predict_buffers(leaves, 2), std::max(alone + 1, apart)) << leaves;  // rank 0 has one of another rank beside its own
        EXPECT_LE(TreeReducer::predict_buffers(leaves, 2), 2 * alone + 2) << leaves;
    }
}

}  // namespace
}  // namespace temper
