// Rows of an input file as pieces of work, of the ranges that this rank was given.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "eval/row_ranges.h"
#include "io/rows/row_source.h"

namespace temper {

struct PieceSize {
    std::int64_t rows = 128;
    std::size_t bytes = std::size_t(1) << 15;  // of text
    // Towards the end pieces shrink, so that the threads end together: to a share of the rows left, but not below so many bytes.
    std::size_t least_bytes = std::size_t(1) << 12;
};

class RowPieces {
  public:
    struct Row {
        Json fields;
        std::string place;  // "path:line"
    };
    struct Piece {
        std::int64_t first = 0;
        std::vector<Row> rows;
    };
    // Size is counted in the bytes of `field`, which a row need not have; `takers` threads work on pieces.
    RowPieces(const std::filesystem::path& input, std::vector<RowRange> ranges, std::string field, PieceSize size, int takers);
    // The next rows, never of two ranges; false at the end. io_error when the file has become shorter.
    bool next(Piece& piece);

  private:
    std::unique_ptr<RowSource> source_;
    std::string name_, field_;
    std::vector<RowRange> ranges_;
    PieceSize size_;
    int takers_;
    std::size_t range_ = 0;
    std::int64_t at_ = 0;  // rows read or passed over
    std::int64_t left_ = 0;
};

// The text of a row's field; bad_data names the place and what the row has, and `option`, where there is one, as what names another field.
const std::string& text_field(const Json& row, const std::string& field, const std::string& place, const std::string& option = "");

}  // namespace temper
