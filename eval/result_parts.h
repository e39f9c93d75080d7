// Results of rows on their way to one file: parts of consecutive rows, each written whole and durably, so that a killed job loses only what it had
// in hand. A row's result is `width` bytes and a text of any length (its id, or all of it).
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "eval/row_ranges.h"

namespace temper {

struct PartTotals {
    std::int64_t tokens = 0, cut = 0;  // tokens read, and texts cut to the model's limit
};

// Consecutive rows in memory.
struct PartRows {
    std::int64_t first = 0, width = 0;
    std::string fixed;               // (rows, width) bytes
    std::string texts;               // end to end
    std::vector<std::int64_t> ends;  // of each row's text
    PartTotals totals;

    std::int64_t rows() const { return static_cast<std::int64_t>(ends.size()); }
    std::string_view text(std::int64_t row) const;
    void add(std::string_view fixed_bytes, std::string_view text);
    void clear(std::int64_t next_first);
};

void write_part(const std::filesystem::path& directory, const PartRows& part);

// The parts of a directory that are whole; others are passed over.
struct PartInfo {
    std::filesystem::path path;
    RowRange rows;
};
std::vector<PartInfo> find_parts(const std::filesystem::path& directory, std::int64_t width);
std::vector<RowRange> ranges_of(const std::vector<PartInfo>& parts);

// Every row once and in order, in blocks of `block` rows whatever the parts are; the totals of all parts. io_error when rows are missing.
PartTotals read_parts(const std::vector<PartInfo>& parts, std::int64_t width, std::int64_t rows, std::int64_t block,
                      const std::function<void(const PartRows&)>& take);

}  // namespace temper
