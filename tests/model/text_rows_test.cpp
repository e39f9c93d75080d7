#include "model/text_rows.h"

#include <gtest/gtest.h>

namespace temper {
namespace {

TokenRows some(std::vector<std::int32_t> ids, std::vector<std::int64_t> ends, std::vector<std::int32_t> types = {},
               std::vector<std::int32_t> skipped = {}) {
    TokenRows rows;
    rows.ids = std::move(ids);
    rows.ends = std::move(ends);
    rows.types = std::move(types);
    rows.skipped = std::move(skipped);
    return rows;
}

TEST(TokenRows, RowsOfAnotherAreAppendedWithTheirLengths) {
    const TokenRows from = some({1, 2, 3, 4, 5, 6}, {1, 3, 6});
    TokenRows rows = some({9}, {1});
    rows.append(from, 1, 2);
    EXPECT_EQ(rows.ids, (std::vector<std::int32_t>{9, 2, 3, 4, 5, 6}));
    EXPECT_EQ(rows.ends, (std::vector<std::int64_t>{1, 3, 6}));
    EXPECT_TRUE(rows.types.empty() && rows.skipped.empty());
    rows.append(from, 3, 0);
    EXPECT_EQ(rows.size(), 3u);
}

TEST(TokenRows, WhatOnlyOneOfThemSaysIsZeroInTheOther) {
    const TokenRows plain = some({1, 2}, {2}), told = some({3, 4, 5}, {1, 3}, {0, 1, 1}, {0, 1});
    TokenRows rows = plain;
    rows.append(told, 1, 1);
    EXPECT_EQ(rows.types, (std::vector<std::int32_t>{0, 0, 1, 1}));
    EXPECT_EQ(rows.skipped, (std::vector<std::int32_t>{0, 1}));
    rows.append(plain, 0, 1);
    EXPECT_EQ(rows.types, (std::vector<std::int32_t>{0, 0, 1, 1, 0, 0}));
    EXPECT_EQ(rows.skipped, (std::vector<std::int32_t>{0, 1, 0}));
    EXPECT_EQ(rows.ends, (std::vector<std::int64_t>{2, 4, 6}));
}

}  // namespace
}  // namespace temper
