#include <optional>
#include <utility>

#include "io/rows/char_reader.h"
#include "io/rows/row_files.h"
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
        if (broken_) throw Error(*broken_);
        skip_blanks();
        line_ = text_.line();
        if (text_.peek() == ']' && !any_) {
            text_.get();
            return finish();
        }
        if (std::exchange(any_, true)) {
            const int c = text_.get();
            if (c == ']') return finish();
            if (c != ',') {
                broken_.emplace(ExitCode::bad_data, fmt::format("{}: expected \",\" or \"]\" behind a row, found {}", place(), shown(c)));
                throw Error(*broken_);
            }
            skip_blanks();
            line_ = text_.line();
        }
        if (const int first = text_.peek(); first != '{') {
            take_other();
            throw_error(ExitCode::bad_data, "{}: expected an object of the list, found {}", place(), shown(first));
        }
        take_object();
        row = parse_json(object_, place(), limits_);
        return true;
    }

  private:
    static std::string shown(int c) { return c == CharReader::end ? "the end of the file" : fmt::format("\"{}\"", static_cast<char>(c)); }

    void skip_blanks() {
        while (is_blank(text_.peek())) text_.get();
    }

    // A text, a number or a list: passed over, so that the next call meets the row behind it.
    void take_other() {
        int depth = 0;
        bool quoted = false;
        for (int c = text_.peek(); c != CharReader::end; c = text_.peek()) {
            if (!quoted && depth == 0 && (c == ',' || c == ']')) return;
            text_.get();
            if (quoted && c == '\\') text_.get();
            else if (c == '"') quoted = !quoted;
            else if (!quoted) depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
        }
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
    std::optional<Error> broken_;  // where what follows cannot be told apart
};

}  // namespace

std::unique_ptr<RowSource> open_json_array(const std::filesystem::path& path, const JsonLimits& limits) {
    CharReader text(path);
    while (is_blank(text.peek())) text.get();
    if (text.peek() != '[') return std::make_unique<JsonlReader>(path, limits);
    return std::make_unique<JsonArrayReader>(path, limits);
}

}  // namespace temper
