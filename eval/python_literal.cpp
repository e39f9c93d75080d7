#include "eval/python_literal.h"

#include <charconv>
#include <cmath>

#include "io/jinja/literals.h"
#include "io/jinja/value.h"

namespace temper {
namespace {

// No value yet: the text is none.
struct NoLiteral {};

class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text) {}

    Json whole() {
        skip_space();
        Json value = next_value(0);
        // A tuple needs no parentheses.
        if (peek() == ',') {
            Json items = Json::array({std::move(value)});
            while (skip(',') && at_ < text_.size()) items.push_back(next_value(0));
            value = std::move(items);
        }
        if (at_ != text_.size()) throw NoLiteral();
        return value;
    }

  private:
    static constexpr int max_depth = 64;

    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    void skip_space() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) ++at_;
    }
    bool skip(char c) {
        if (peek() != c) return false;
        ++at_;
        skip_space();
        return true;
    }
    bool skip_word(std::string_view word) {
        if (!text_.substr(at_).starts_with(word)) return false;
        const char behind = at_ + word.size() < text_.size() ? text_[at_ + word.size()] : ' ';
        if (std::isalnum(static_cast<unsigned char>(behind)) || behind == '_') return false;
        at_ += word.size();
        skip_space();
        return true;
    }

    Json next_value(int depth) {
        if (depth > max_depth) throw NoLiteral();
        const char c = peek();
        if (c == '\'' || c == '"') return texts();
        if (skip('[')) return items(']', depth);
        if (skip('(')) return parentheses(depth);
        if (skip('{')) return dict(depth);
        if (skip_word("True")) return true;
        if (skip_word("False")) return false;
        if (skip_word("None")) return nullptr;
        return number();
    }

    Json items(char end, int depth) {
        Json list = Json::array();
        while (!skip(end)) {
            list.push_back(next_value(depth + 1));
            if (!skip(',') && peek() != end) throw NoLiteral();
        }
        return list;
    }
    // One value in parentheses without a comma is that value.
    Json parentheses(int depth) {
        if (skip(')')) return Json::array();
        Json first = next_value(depth + 1);
        if (skip(')')) return first;
        if (!skip(',')) throw NoLiteral();
        Json rest = items(')', depth), list = Json::array({std::move(first)});
        for (Json& item : rest) list.push_back(std::move(item));
        return list;
    }
    Json dict(int depth) {
        Json object = Json::object();
        while (!skip('}')) {
            Json key = next_value(depth + 1);
            if (!key.is_string() || !skip(':')) throw NoLiteral();
            object[key.get<std::string>()] = next_value(depth + 1);
            if (!skip(',') && peek() != '}') throw NoLiteral();
        }
        return object;
    }

    Json texts() {
        std::string joined;
        do joined += one_text();
        while (peek() == '\'' || peek() == '"');
        return joined;
    }
    std::string one_text() {
        const char quote = text_[at_];
        const std::size_t begin = ++at_;
        for (; at_ < text_.size() && text_[at_] != quote; ++at_) {
            if (text_[at_] == '\n') throw NoLiteral();
            if (text_[at_] == '\\') ++at_;
        }
        if (at_ >= text_.size()) throw NoLiteral();
        const std::string_view inner = text_.substr(begin, at_ - begin);
        ++at_;
        skip_space();
        return jinja::unescape_text(inner);
    }

    Json number() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '.' || text_[at_] == '_' ||
                                      ((text_[at_] == '+' || text_[at_] == '-') && (at_ == begin || text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E'))))
            ++at_;
        const std::string word(text_.substr(begin, at_ - begin));
        if (word.empty() || word.find_first_of("0123456789") == std::string::npos) throw NoLiteral();
        skip_space();
        const bool sign = word[0] == '-' || word[0] == '+';
        // Python refuses 007 as well.
        if (word.find_first_not_of("0123456789", sign ? 1 : 0) == std::string::npos && word.size() > (sign ? 2u : 1u) && word[sign ? 1 : 0] == '0')
            throw NoLiteral();
        if (const std::optional<std::int64_t> integer = jinja::parse_integer(word, 10)) return *integer;
        if (const std::optional<double> real = jinja::parse_float(word); real && std::isfinite(*real)) return *real;
        throw NoLiteral();
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

std::optional<Json> parse_python_literal(std::string_view text) {
    try {
        return Parser(text).whole();
    } catch (const NoLiteral&) {
        return std::nullopt;
    } catch (const jinja::Failure&) {
        return std::nullopt;
    }
}

}  // namespace temper
