#include "eval/row_pieces.h"

#include <fmt/ranges.h>

#include "kernels/error.h"

namespace temper {

RowPieces::RowPieces(const std::filesystem::path& input, std::vector<RowRange> ranges, std::string field, PieceSize size, int takers)
    : source_(open_rows(input)), name_(input.string()), field_(std::move(field)), ranges_(std::move(ranges)), size_(size), takers_(takers) {
    for (const RowRange& range : ranges_) left_ += range.count;
}

bool RowPieces::next(Piece& piece) {
    const auto shorter = [&] { throw_error(ExitCode::io_error, "{}: ends behind row {}: it was changed while it was read", name_, at_); };
    while (range_ < ranges_.size() && at_ >= ranges_[range_].end()) ++range_;
    if (range_ == ranges_.size()) return false;
    for (; at_ < ranges_[range_].first; ++at_)
        if (source_->skip() < 0) shorter();
    piece.first = at_;
    piece.rows.clear();
    std::size_t bytes = 0;
    const std::int64_t share = left_ / (2 * takers_);
    const auto full = [&] {
        const auto rows = static_cast<std::int64_t>(piece.rows.size());
        return rows >= size_.rows || bytes >= size_.bytes || (takers_ > 1 && rows >= share && bytes >= size_.least_bytes);
    };
    while (at_ < ranges_[range_].end() && !full()) {
        Row row;
        if (!source_->next(row.fields)) shorter();
        row.place = source_->place();
        const auto text = row.fields.find(field_);
        if (text != row.fields.end() && text->is_string()) bytes += text->get_ref<const std::string&>().size();
        piece.rows.push_back(std::move(row));
        ++at_, --left_;
    }
    return true;
}

const std::string& text_field(const Json& row, const std::string& field, const std::string& place, const std::string& option) {
    const auto found = row.find(field);
    if (found != row.end() && found->is_string()) return found->get_ref<const std::string&>();
    if (found != row.end()) throw_error(ExitCode::bad_data, "{}: field \"{}\" is {}, expected text", place, field, found->type_name());
    std::vector<std::string> names;
    for (const auto& [name, value] : row.items()) names.push_back(name);
    throw_error(ExitCode::bad_data, "{}: no field \"{}\"; the row has: {}{}", place, field, fmt::join(names, ", "),
                option.empty() ? "" : fmt::format("; {} NAME names another", option));
}

}  // namespace temper
