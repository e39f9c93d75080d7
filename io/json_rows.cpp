#include <utility>

#include "io/char_reader.h"
#include "io/row_files.h"
#include "kernels/error.h"

namespace temper {
namespace {

bool is_blank(int c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Finds where each element of the list ends by its brackets and quotes; parse_json then checks it.
class JsonArrayReader final : public RowSource {
  public:
    JsonArrayReader(const std::filesystem::path& path, const JsonLimits& limits) : path_(path), limits_(limits), text_(path) {
        skip_blanks();
        text_.get();  // "["
    }
    std::int64_t line() const override { return line_; }
    std::string place() const override { return fmt::format("{}:{}", path_.string(), line_); }

    bool next(Json& row) override {
        if (ended_) return false;
        skip_blanks();
        line_ = text_.line();
        if (text_.peek() == ']' && !any_) {
            text_.get();
            return finish();
        }
        if (std::exchange(any_, true)) {
            const int c = text_.get();
            if (c == ']') return finish();
            if (c != ',') throw_error(ExitCode::bad_data, "{}: expected \",\" or \"]\" behind a row, found {}", place(), shown(c));
            skip_blanks();
            line_ = text_.line();
        }
        if (text_.peek() != '{') throw_error(ExitCode::bad_data, "{}: expected an object of the list, found {}", place(), shown(text_.peek()));
        take_object();
        row = parse_json(object_, place(), limits_);
        return true;
    }

  private:
    static std::string shown(int c) { return c == CharReader::end ? "the end of the file" : fmt::format("\"{}\"", static_cast<char>(c)); }

    void skip_blanks() {
        while (is_blank(text_.peek())) text_.get();
    }

    void take_object() {
        object_.clear();
        int depth = 0;
        bool quoted = false;
        do {
            const int c = text_.get();
            if (c == CharReader::end) throw_error(ExitCode::bad_data, "{}: the object that begins here is not closed", place());
            if (object_.size() >= limits_.max_bytes)
                throw_error(ExitCode::bad_data, "{}: the object that begins here has more than {} bytes", place(), limits_.max_bytes);
            object_ += static_cast<char>(c);
            if (quoted) {
                if (c == '\\' && text_.peek() != CharReader::end) object_ += static_cast<char>(text_.get());
                quoted = c != '"';
            } else {
                quoted = c == '"';
                depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
            }
        } while (depth > 0);
    }

    // Behind the list's "]".
    bool finish() {
        ended_ = true;
        skip_blanks();
        if (text_.peek() != CharReader::end)
            throw_error(ExitCode::bad_data, "{}:{}: expected nothing behind the list, found {}", path_.string(), text_.line(), shown(text_.peek()));
        return false;
    }

    std::filesystem::path path_;
    JsonLimits limits_;
    CharReader text_;
    std::string object_;
    std::int64_t line_ = 0;
    bool any_ = false, ended_ = false;
};

}  // namespace

std::unique_ptr<RowSource> open_json_array(const std::filesystem::path& path, const JsonLimits& limits) {
    CharReader text(path);
    while (is_blank(text.peek())) text.get();
    if (text.peek() != '[') return std::make_unique<JsonlReader>(path, limits);
    return std::make_unique<JsonArrayReader>(path, limits);
}

}  // namespace temper
