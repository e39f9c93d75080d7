// Buffers are made for the largest micro-batch that a run can meet: no step of any order goes beyond the bounds, and rows of one kind reach them.
#include <random>

#include <gtest/gtest.h>

#include "train/trainer.h"

namespace temper {
namespace {

std::vector<RowSize> random_rows(std::mt19937& random, std::int64_t longest) {
    const auto draw = [&](std::int64_t low, std::int64_t high) { return std::uniform_int_distribution<std::int64_t>(low, high)(random); };
    std::vector<RowSize> rows(static_cast<std::size_t>(draw(1, 12)));
    for (RowSize& row : rows) {
        row.tokens = draw(0, 9) == 0 ? 0 : draw(1, longest);  // a token behind nothing is not computed
        row.labels = draw(0, row.tokens);
    }
    return rows;
}

// The most that micro-batches of one step have, as the trainer cuts them.
void expect_within(const std::vector<RowSize>& step, const TrainingConfig& config, const StepBounds& bounds) {
    std::vector<std::int64_t> lengths, leaf_tokens;
    for (const RowSize& row : step) lengths.push_back(row.tokens);
    const std::vector<Range> leaves = cut_leaves(lengths, config.leaf_tokens);
    for (const Range& leaf : leaves) {
        leaf_tokens.push_back(0);
        for (std::int64_t i = leaf.begin; i < leaf.end; ++i) leaf_tokens.back() += lengths[static_cast<std::size_t>(i)];
    }
    const auto count = static_cast<std::int64_t>(leaves.size());
    EXPECT_LE(count, bounds.step_leaves);
    for (std::int64_t first = 0; first < count; ++first)  // a rank's share may begin anywhere
        for (const Range& micro : cut_micro_batches({first, count}, leaf_tokens, config.micro_batch_tokens)) {
            RowSize sum;
            for (std::int64_t i = leaves[static_cast<std::size_t>(micro.begin)].begin; i < leaves[static_cast<std::size_t>(micro.end - 1)].end; ++i) {
                sum.tokens += step[static_cast<std::size_t>(i)].tokens;
                sum.labels += step[static_cast<std::size_t>(i)].labels;
            }
            EXPECT_LE(sum.tokens, bounds.tokens);
            EXPECT_LE(sum.labels, bounds.labels);
            EXPECT_LE(micro.size(), bounds.leaves);
        }
}

TEST(StepBounds, NoStepGoesBeyondThem) {
    std::mt19937 random(7);
    for (int round = 0; round < 400; ++round) {
        std::vector<RowSize> rows = random_rows(random, 20);
        TrainingConfig config;
        config.leaf_tokens = std::uniform_int_distribution<std::int64_t>(1, 40)(random);
        config.micro_batch_tokens = std::uniform_int_distribution<std::int64_t>(1, 120)(random);
        config.global_batch_size = std::uniform_int_distribution<std::int64_t>(1, 14)(random);
        const StepBounds bounds = bound_steps(rows, config, {});
        for (int order = 0; order < 20; ++order) {
            std::shuffle(rows.begin(), rows.end(), random);
            const auto taken = std::min(rows.size(), static_cast<std::size_t>(config.global_batch_size));
            expect_within({rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(taken)}, config, bounds);
        }
        if (HasFailure()) FAIL() << "round " << round;
    }
}

TEST(StepBounds, RowsOfOneKindReachThem) {
    TrainingConfig config;
    config.leaf_tokens = 512;
    config.micro_batch_tokens = 4096;
    config.global_batch_size = 4;
    // Two rows fill a leaf.
    const StepBounds whole = bound_steps(std::vector<RowSize>(8, {511, 256}), config, {});
    EXPECT_EQ(whole.tokens, 4 * 511);
    EXPECT_EQ(whole.labels, 4 * 256);
    EXPECT_EQ(whole.leaves, 2);
    EXPECT_EQ(whole.step_leaves, 2);
    config.micro_batch_tokens = 1;
    const StepBounds leaf = bound_steps(std::vector<RowSize>(8, {512, 256}), config, {});
    EXPECT_EQ(leaf.leaves, 1);
    EXPECT_EQ(leaf.step_leaves, 4);
}

TEST(BoundLabels, TakesTheDensestRowsOfSoManyTokens) {
    const std::vector<RowSize> rows = {{10, 1}, {4, 4}, {0, 0}, {10, 5}};
    EXPECT_EQ(bound_labels(rows, 4, 100), 10);
    EXPECT_EQ(bound_labels(rows, 2, 100), 9);  // by their number
    EXPECT_EQ(bound_labels(rows, 4, 14), 9);   // by their tokens
    EXPECT_EQ(bound_labels(rows, 4, 8), 6);    // half of a row
    EXPECT_EQ(bound_labels(rows, 4, 3), 3);
    EXPECT_EQ(bound_labels({}, 4, 3), 0);
}

}  // namespace
}  // namespace temper
