#include <algorithm>

#include "io/rows/char_reader.h"
#include "io/rows/row_files.h"
#include "kernels/error.h"

namespace temper {
namespace {

class CsvReader final : public RowSource {
  public:
    CsvReader(const std::filesystem::path& path, char separator, const JsonLimits& limits)
        : path_(path), separator_(separator), limits_(limits), text_(path) {
        if (!take_record()) throw_error(ExitCode::bad_data, "{}:1: expected a line of column names, the file is empty", path_.string());
        names_ = fields_;
        for (std::size_t i = 0; i < names_.size(); ++i)
            if (names_[i].empty() || std::find(names_.begin(), names_.begin() + static_cast<std::ptrdiff_t>(i), names_[i]) !=
                                         names_.begin() + static_cast<std::ptrdiff_t>(i))
                throw_error(ExitCode::bad_data, "{}: column {} of the first line is {}: every column needs a name of its own", place(), i + 1,
                            names_[i].empty() ? "empty" : fmt::format("a second \"{}\"", names_[i]));
    }
    std::int64_t line() const override { return line_; }
    std::string place() const override { return fmt::format("{}:{}", path_.string(), line_); }

    bool next(Json& row) override {
        if (!take_record()) return false;
        if (fields_.size() != names_.size())
            throw_error(ExitCode::bad_data, "{}: {} fields, expected {} as the first line names them", place(), fields_.size(), names_.size());
        row = Json::object();
        for (std::size_t i = 0; i < names_.size(); ++i) row[names_[i]] = fields_[i];
        return true;
    }

  private:
    // One record into fields_; blank lines are skipped. False at the end.
    bool take_record() {
        while (text_.peek() == '\n' || text_.peek() == '\r') text_.get();
        line_ = text_.line();
        if (text_.peek() == CharReader::end) return false;
        fields_.clear();
        bytes_ = 0;
        do take_field();
        while (more_fields());
        for (const std::string& field : fields_)
            if (find_invalid_utf8(field) != std::string::npos || field.find('\0') != std::string::npos)
                throw_error(ExitCode::bad_data, "{}: invalid UTF-8 in the record that begins here", place());
        return true;
    }

    void take_field() {
        std::string& field = fields_.emplace_back();
        if (text_.peek() != '"') {
            for (int c = text_.peek(); c != separator_ && c != '\n' && c != CharReader::end; c = text_.peek()) append(field, text_.get());
            if (!field.empty() && field.back() == '\r' && text_.peek() != separator_) field.pop_back();
            return;
        }
        text_.get();
        for (;;) {
            const int c = text_.get();
            if (c == CharReader::end) throw_error(ExitCode::bad_data, "{}: a quote of the record that begins here is not closed", place());
            if (c == '"' && text_.peek() != '"') break;
            append(field, c == '"' ? text_.get() : c);
        }
        if (text_.peek() == '\r') text_.get();
        if (const int c = text_.peek(); c != separator_ && c != '\n' && c != CharReader::end)
            throw_error(ExitCode::bad_data, "{}: text behind the closing quote of field {}", place(), fields_.size());
    }

    void append(std::string& field, int c) {
        if (++bytes_ > limits_.max_bytes)
            throw_error(ExitCode::bad_data, "{}: the record that begins here has more than {} bytes", place(), limits_.max_bytes);
        field += static_cast<char>(c);
    }

    bool more_fields() {
        const int c = text_.get();
        if (c == separator_ && fields_.size() >= 10000) throw_error(ExitCode::bad_data, "{}: more than 10000 fields", place());
        return c == separator_;
    }

    std::filesystem::path path_;
    char separator_;
    JsonLimits limits_;
    CharReader text_;
    std::vector<std::string> names_, fields_;
    std::int64_t line_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<RowSource> open_csv(const std::filesystem::path& path, char separator, const JsonLimits& limits) {
    return std::make_unique<CsvReader>(path, separator, limits);
}

}  // namespace temper
