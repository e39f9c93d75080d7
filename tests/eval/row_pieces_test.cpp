// Pieces of an input: every row once and in order; at the end so small that threads which take them in turn end together.
#include <algorithm>

#include <gtest/gtest.h>

#include "eval/row_pieces.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

std::string rows_of(int count, int bytes) {
    std::string text;
    for (int i = 0; i < count; ++i) text += "{\"text\": \"" + std::string(static_cast<std::size_t>(bytes), 'a') + "\"}\n";
    return text;
}

// First rows and sizes.
std::vector<RowRange> pieces_of(const std::filesystem::path& input, const std::vector<RowRange>& ranges, PieceSize size, int takers) {
    RowPieces pieces(input, ranges, "text", size, takers);
    std::vector<RowRange> result;
    for (RowPieces::Piece piece; pieces.next(piece);) result.push_back({piece.first, static_cast<std::int64_t>(piece.rows.size())});
    return result;
}

// Rows of the thread that ends last, where the thread with the least takes the next piece.
std::int64_t longest(const std::vector<RowRange>& pieces, std::size_t takers) {
    std::vector<std::int64_t> rows(takers);
    for (const RowRange& piece : pieces) *std::min_element(rows.begin(), rows.end()) += piece.count;
    return *std::max_element(rows.begin(), rows.end());
}

TEST(RowPieces, OneThreadTakesWholePieces) {
    const TemporaryDirectory work;
    const auto input = work.put("rows.jsonl", rows_of(50, 1000));
    const auto pieces = pieces_of(input, {{0, 25}, {30, 20}}, {128, 10000}, 1);
    std::vector<std::int64_t> firsts, counts;
    for (const RowRange& piece : pieces) firsts.push_back(piece.first), counts.push_back(piece.count);
    EXPECT_EQ(firsts, (std::vector<std::int64_t>{0, 10, 20, 30, 40}));
    EXPECT_EQ(counts, (std::vector<std::int64_t>{10, 10, 5, 10, 10}));
}

TEST(RowPieces, ThreadsEndTogether) {
    const TemporaryDirectory work;
    for (const int count : {1, 7, 50, 100, 333}) {
        const auto input = work.put("rows.jsonl", rows_of(count, 1700));
        for (const int takers : {2, 3, 8}) {
            const auto pieces = pieces_of(input, {{0, count}}, {}, takers);
            std::int64_t next = 0;
            for (const RowRange& piece : pieces) {
                EXPECT_EQ(piece.first, next);
                next = piece.end();
            }
            EXPECT_EQ(next, count);
            // 4,096 bytes are three of these rows: nobody waits longer than for a last piece of three.
            EXPECT_LE(longest(pieces, static_cast<std::size_t>(takers)), count / takers + 3) << count << " rows, " << takers << " threads";
        }
    }
}

TEST(RowPieces, NoPieceIsBelowTheLeastBytesButTheLast) {
    const TemporaryDirectory work;
    const auto pieces = pieces_of(work.put("rows.jsonl", rows_of(200, 100)), {{0, 200}}, {}, 4);
    for (std::size_t i = 0; i + 1 < pieces.size(); ++i) EXPECT_GE(pieces[i].count, 41);
}

}  // namespace
}  // namespace temper
