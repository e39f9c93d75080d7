// Ranges of rows, their shares, and results that pass through part files: every row once and in order, whatever the parts are.
#include <fstream>

#include <gtest/gtest.h>

#include "eval/part_writer.h"
#include "eval/result_parts.h"
#include "eval/row_ranges.h"
#include "io/durable.h"
#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

bool operator==(const RowRange& a, const RowRange& b) { return a.first == b.first && a.count == b.count; }

TEST(RowRanges, WhatIsLeft) {
    EXPECT_TRUE(rows_left({{0, 10}}, 10).empty());
    const auto left = rows_left({{20, 5}, {0, 4}, {2, 6}, {22, 1}}, 30);
    ASSERT_EQ(left.size(), 2U);
    EXPECT_TRUE((left[0] == RowRange{8, 12}) && (left[1] == RowRange{25, 5}));
    EXPECT_TRUE((rows_left({}, 7).at(0) == RowRange{0, 7}));
}

TEST(RowRanges, SharesCoverEveryRowOnceAndCostAboutTheSame) {
    InputCosts costs;
    costs.rows = 1003;
    for (std::int64_t begin = 0; begin < costs.rows; begin += costs.block)
        costs.costs.push_back((begin < 500 ? 10 : 100) * std::min(costs.block, costs.rows - begin));
    const std::vector<RowRange> ranges{{3, 400}, {450, 553}};
    for (int ranks = 1; ranks <= 7; ++ranks) {
        const auto shares = share_rows(ranges, costs, ranks);
        ASSERT_EQ(shares.size(), static_cast<std::size_t>(ranks));
        std::vector<int> met(1003);
        for (const auto& share : shares) {
            std::int64_t cost = 0;
            for (const RowRange& range : share)
                for (std::int64_t row = range.first; row < range.end(); ++row) {
                    ++met[static_cast<std::size_t>(row)];
                    cost += row < 504 ? 10 : 100;
                }
            EXPECT_NEAR(static_cast<double>(cost), 54440.0 / ranks, 2000.0) << ranks;
        }
        for (std::int64_t row = 0; row < 1003; ++row)
            EXPECT_EQ(met[static_cast<std::size_t>(row)], (row >= 3 && row < 403) || row >= 450 ? 1 : 0) << row;
    }
}

TEST(RowRanges, ScansAFile) {
    const TemporaryDirectory directory;
    std::ofstream(directory / "rows.jsonl") << "{\"text\": \"a\"}\n\n{\"text\": \"" << std::string(5000, 'x') << "\"}\n";
    const InputCosts costs = scan_input(directory / "rows.jsonl", 100);
    EXPECT_EQ(costs.rows, 2);
    ASSERT_EQ(costs.costs.size(), 1U);
    EXPECT_LT(costs.costs[0], 200);
}

PartRows rows_of(std::int64_t first, std::int64_t count) {
    PartRows rows;
    rows.first = first;
    rows.width = 4;
    for (std::int64_t row = first; row < first + count; ++row)
        rows.add(fmt::format("{:04}", row), std::string(static_cast<std::size_t>(row % 5), 'a'));
    rows.totals = {count * 3, count};
    return rows;
}

TEST(ResultParts, EveryRowOnceWhateverThePartsAre) {
    const TemporaryDirectory directory;
    for (const auto& [first, count] : {std::pair<std::int64_t, std::int64_t>{0, 7}, {5, 4}, {9, 30}, {39, 1}})
        write_part(directory.path(), rows_of(first, count));
    std::ofstream(directory / "rows-000000000040-9.part") << "torn";
    const auto parts = find_parts(directory.path(), 4);
    ASSERT_EQ(parts.size(), 4U);
    EXPECT_TRUE(find_parts(directory.path(), 8).empty());
    std::int64_t next = 0;
    const PartTotals totals = read_parts(parts, 4, 40, 16, [&](const PartRows& rows) {
        EXPECT_EQ(rows.first, next);
        EXPECT_EQ(rows.rows(), std::min<std::int64_t>(16, 40 - next));
        for (std::int64_t i = 0; i < rows.rows(); ++i, ++next) {
            EXPECT_EQ(rows.fixed.substr(static_cast<std::size_t>(i) * 4, 4), fmt::format("{:04}", next));
            EXPECT_EQ(rows.text(i).size(), static_cast<std::size_t>(next % 5));
        }
    });
    EXPECT_EQ(next, 40);
    EXPECT_EQ(totals.tokens, 42 * 3);
    EXPECT_THROW(read_parts(parts, 4, 41, 16, [](const PartRows&) {}), Error);
}

TEST(ResultParts, AWriterBeginsAPartWhereRowsDoNotFollow) {
    const TemporaryDirectory directory;
    PartWriter writer(directory.path(), 4);
    writer.add(rows_of(0, 3));
    writer.add(rows_of(3, 2));
    writer.add(rows_of(10, 2));
    writer.flush();
    const auto ranges = ranges_of(find_parts(directory.path(), 4));
    ASSERT_EQ(ranges.size(), 2U);
    EXPECT_TRUE((ranges[0] == RowRange{0, 5}) && (ranges[1] == RowRange{10, 2}));
}

}  // namespace
}  // namespace temper
