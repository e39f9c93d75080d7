#include "io/jsonl.h"

#include "io/json_text.h"
#include "kernels/error.h"

namespace temper {

JsonlReader::JsonlReader(const std::filesystem::path& path, JsonLimits limits) : path_(path), limits_(limits), file_(open_bytes(path)) {}

std::string JsonlReader::place() const { return fmt::format("{}:{}", path_.string(), line_); }

std::int64_t RowSource::skip() {
    Json row;
    return next(row) ? static_cast<std::int64_t>(json_text(row).size()) : -1;
}

bool JsonlReader::next(Json& row) {
    if (!read_row()) return false;
    row = parse_json(text_, place(), limits_);
    if (!row.is_object())
        throw_error(ExitCode::bad_data, "{}:{}: {}, expected an object", place(), text_.find_first_not_of(" \t") + 1, row.type_name());
    return true;
}

std::int64_t JsonlReader::skip() { return read_row() ? static_cast<std::int64_t>(text_.size()) : -1; }

bool JsonlReader::read_row() {
    while (read_line()) {
        if (line_ == 1 && text_.rfind("\xEF\xBB\xBF", 0) == 0) text_.erase(0, 3);
        if (!text_.empty() && text_.back() == '\r') text_.pop_back();
        if (text_.find_first_not_of(" \t") != std::string::npos) return true;
    }
    return false;
}

// A line is never held beyond the limit: it is refused as soon as it has passed it.
bool JsonlReader::read_line() {
    text_.clear();
    bool any = false;
    ++line_;
    for (;;) {
        if (used_ == buffer_.size() && !fill()) break;
        any = true;
        const std::size_t newline = buffer_.find('\n', used_);
        const std::size_t end = newline == std::string::npos ? buffer_.size() : newline;
        if (text_.size() + (end - used_) > limits_.max_bytes + 4)  // a BOM and a carriage return are not counted
            throw_error(ExitCode::bad_data, "{}:1: the line has more than {} bytes", place(), limits_.max_bytes);
        text_.append(buffer_, used_, end - used_);
        used_ = newline == std::string::npos ? end : newline + 1;
        if (newline != std::string::npos) break;
    }
    if (!any) --line_;
    return any;
}

bool JsonlReader::fill() {
    buffer_.resize(std::size_t(1) << 16);
    used_ = buffer_.size();  // a failed read leaves nothing to go on with
    buffer_.resize(file_->read(buffer_.data(), buffer_.size()));
    used_ = 0;
    return !buffer_.empty();
}

}  // namespace temper
