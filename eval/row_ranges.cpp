#include "eval/row_ranges.h"

#include <algorithm>

#include "io/rows/row_source.h"

namespace temper {
namespace {

constexpr std::size_t most_blocks = std::size_t(1) << 16;
constexpr std::int64_t row_cost = 24;  // of a row without text, in bytes of text

void merge_pairs(InputCosts& costs) {
    const std::size_t half = costs.costs.size() / 2;
    for (std::size_t i = 0; i < half; ++i) costs.costs[i] = costs.costs[2 * i] + costs.costs[2 * i + 1];
    costs.costs.resize(half);
    costs.block *= 2;
}

}  // namespace

InputCosts scan_input(const std::filesystem::path& input, std::int64_t most) {
    InputCosts costs;
    const auto source = open_rows(input);
    for (std::int64_t bytes = source->skip(); bytes >= 0; bytes = source->skip()) {
        if (costs.rows % costs.block == 0) {
            if (costs.costs.size() == most_blocks) merge_pairs(costs);
            costs.costs.push_back(0);
        }
        costs.costs.back() += row_cost + std::min(bytes, most);
        ++costs.rows;
    }
    return costs;
}

std::vector<RowRange> rows_left(std::vector<RowRange> done, std::int64_t rows) {
    std::sort(done.begin(), done.end(), [](const RowRange& a, const RowRange& b) { return a.first < b.first; });
    std::vector<RowRange> left;
    std::int64_t at = 0;
    for (const RowRange& range : done) {
        if (range.first > at) left.push_back({at, range.first - at});
        at = std::max(at, range.end());
    }
    if (at < rows) left.push_back({at, rows - at});
    return left;
}

std::vector<std::vector<RowRange>> share_rows(const std::vector<RowRange>& ranges, const InputCosts& costs, int shares) {
    // Pieces are cut where blocks begin.
    struct Piece {
        RowRange rows;
        double cost;
    };
    std::vector<Piece> pieces;
    double total = 0.0;
    for (const RowRange& range : ranges)
        for (std::int64_t at = range.first; at < range.end();) {
            const std::int64_t block = at / costs.block, end = std::min(range.end(), (block + 1) * costs.block);
            const std::int64_t rows_of_block = std::min(costs.block, costs.rows - block * costs.block);
            const double cost = static_cast<double>(costs.costs[static_cast<std::size_t>(block)]) * static_cast<double>(end - at) /
                                static_cast<double>(rows_of_block);
            pieces.push_back({{at, end - at}, cost});
            total += cost;
            at = end;
        }
    std::vector<std::vector<RowRange>> result(static_cast<std::size_t>(shares));
    double before = 0.0;
    for (const Piece& piece : pieces) {
        const double middle = (before + piece.cost / 2.0) / total;
        auto& share = result[std::min(result.size() - 1, static_cast<std::size_t>(middle * static_cast<double>(shares)))];
        if (!share.empty() && share.back().end() == piece.rows.first) share.back().count += piece.rows.count;
        else share.push_back(piece.rows);
        before += piece.cost;
    }
    return result;
}

}  // namespace temper
