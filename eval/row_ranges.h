// Rows of an input file as ranges: what is done of it, what is left, and shares of equal cost for the ranks.
#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

namespace temper {

struct RowRange {
    std::int64_t first = 0, count = 0;
    std::int64_t end() const { return first + count; }
};

// How much work rows are, by blocks of `block` rows; the last block may be shorter.
struct InputCosts {
    std::int64_t rows = 0, block = 8;
    std::vector<std::int64_t> costs;  // of the blocks
};
// Reads a file once. A row costs its bytes, at most `most` of them, and a little for itself.
InputCosts scan_input(const std::filesystem::path& input, std::int64_t most);

// Rows of [0, rows) in none of `done`, which may overlap.
std::vector<RowRange> rows_left(std::vector<RowRange> done, std::int64_t rows);
// Cut into `shares` lists of about equal cost, in order.
std::vector<std::vector<RowRange>> share_rows(const std::vector<RowRange>& ranges, const InputCosts& costs, int shares);

}  // namespace temper
