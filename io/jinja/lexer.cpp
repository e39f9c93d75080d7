#include "io/jinja/lexer.h"

#include <array>

#include "io/jinja/literals.h"
#include "io/jinja/text.h"

namespace temper::jinja {
namespace {

// Line ends become \n and one at the very end is dropped, as Jinja2 does before it reads; with keep_trailing_newline it stays.
std::string normalized(std::string_view source, bool keep_last) {
    std::string out;
    out.reserve(source.size());
    for (std::size_t i = 0; i < source.size(); ++i) {
        if (source[i] != '\r') out += source[i];
        else if (i + 1 == source.size() || source[i + 1] != '\n') out += '\n';
    }
    if (!keep_last && !out.empty() && out.back() == '\n') out.pop_back();
    return out;
}

class Lexer {
  public:
    Lexer(std::string_view source, const Dialect& dialect) : trims_(dialect.trims), kept_(normalized(source, !dialect.trims)), source_(kept_) {}

    std::vector<Token> run() {
        while (at_ < source_.size()) root();
        add(TokenKind::end, "");
        return std::move(tokens_);
    }

  private:
    [[noreturn]] void refuse(const std::string& message) const { throw SyntaxFailure(message, place_); }

    bool looking_at(std::string_view what) const { return source_.substr(at_).starts_with(what); }

    void move_to(std::size_t next) {
        for (; at_ < next; ++at_) {
            const auto byte = static_cast<unsigned char>(source_[at_]);
            if (byte == '\n') {
                ++place_.line;
                place_.column = 1;
            } else if ((byte & 0xC0) != 0x80) {
                ++place_.column;
            }
        }
    }

    void add(TokenKind kind, std::string text) { tokens_.push_back({kind, place_, std::move(text)}); }

    std::size_t after_space(std::size_t at) const {
        while (at < source_.size() && is_space(character_at(source_, at))) at += character_size(source_, at);
        return at;
    }

    // The sign after an opening mark decides how much whitespace the text before it loses.
    std::string_view stripped_before(std::string_view text, char sign, bool is_print) const {
        if (sign == '-') return strip(text, Side::right);
        if (sign == '+' || is_print || !trims_) return text;
        const std::size_t line = text.rfind('\n') + 1;  // npos + 1 is 0: no line end inside
        if (line == 0 && !line_starting_) return text;
        return strip(text.substr(line), Side::both).empty() ? text.substr(0, line) : text;
    }

    char sign_at(std::size_t at) const { return at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at] : '\0'; }

    void emit_data(std::size_t end, char sign, bool is_print) {
        const std::string_view text = stripped_before(source_.substr(at_, end - at_), sign, is_print);
        if (!text.empty()) add(TokenKind::data, std::string(text));
        move_to(end);
    }

    void note_line_start() { line_starting_ = at_ > 0 && source_[at_ - 1] == '\n'; }

    // Whitespace control at a closing mark that begins at at_ (its sign included).
    void close(char sign, bool trims) {
        std::size_t next = at_ + (sign ? 3 : 2);
        if (sign == '-') next = after_space(next);
        else if (!sign && trims && trims_ && next < source_.size() && source_[next] == '\n') ++next;
        move_to(next);
        note_line_start();
    }

    void root() {
        std::size_t mark = at_;
        while (true) {
            mark = source_.find('{', mark);
            if (mark == std::string_view::npos || mark + 1 >= source_.size()) {
                add(TokenKind::data, std::string(source_.substr(at_)));
                return move_to(source_.size());
            }
            const char next = source_[mark + 1];
            if (next == '%' || next == '{' || next == '#') break;
            ++mark;
        }
        const char opened = source_[mark + 1];
        const char sign = sign_at(mark + 2);
        emit_data(mark, sign, opened == '{');
        const std::size_t inside = at_ + (sign ? 3 : 2);
        if (opened == '#') return comment(inside);
        if (opened == '%' && raw(inside)) return;
        add(opened == '{' ? TokenKind::print_begin : TokenKind::block_begin, "");
        move_to(inside);
        tag(opened == '{');
    }

    void comment(std::size_t inside) {
        const std::size_t end = source_.find("#}", inside);
        if (end == std::string_view::npos) refuse("missing end of comment tag '#}'");
        const char sign = end > inside ? sign_at(end - 1) : '\0';
        move_to(sign ? end - 1 : end);
        close(sign, true);
    }

    // {% raw %}: everything up to {% endraw %} is text. False when the tag is another one.
    bool raw(std::size_t inside) {
        std::size_t at = after_space(inside);
        if (!source_.substr(at).starts_with("raw")) return false;
        at = after_space(at + 3);
        const bool strips = source_.substr(at).starts_with("-%}");
        if (!strips && !source_.substr(at).starts_with("%}")) return false;
        const Place opened = place_;
        move_to(strips ? after_space(at + 3) : at + 2);
        note_line_start();
        for (std::size_t mark = source_.find("{%", at_); mark != std::string_view::npos; mark = source_.find("{%", mark + 2)) {
            const char sign = sign_at(mark + 2);
            std::size_t end = after_space(mark + (sign ? 3 : 2));
            if (!source_.substr(end).starts_with("endraw")) continue;
            end = after_space(end + 6);
            const char close_sign = sign_at(end);
            if (!source_.substr(end + (close_sign ? 1 : 0)).starts_with("%}")) continue;
            emit_data(mark, sign, false);
            move_to(end);
            close(close_sign, true);
            return true;
        }
        throw SyntaxFailure("missing end of raw directive", opened);
    }

    void tag(bool is_print) {
        std::string open;  // brackets not yet closed
        const std::string_view end = is_print ? "}}" : "%}";
        while (true) {
            move_to(after_space(at_));
            if (at_ >= source_.size()) refuse(fmt::format("unexpected end of template, expected '{}'", end));
            const char sign = sign_at(at_);
            const bool signed_end = sign && source_.substr(at_ + 1).starts_with(end) && !(is_print && sign == '+');
            if (open.empty() && (signed_end || looking_at(end))) {
                add(is_print ? TokenKind::print_end : TokenKind::block_end, "");
                return close(signed_end ? sign : '\0', !is_print);
            }
            token(open);
        }
    }

    void token(std::string& open) {
        const char c = source_[at_];
        if (c == '\'' || c == '"') return text();
        if (c >= '0' && c <= '9') return number();
        if (is_word(character_at(source_, at_))) return name();
        static constexpr std::array<std::string_view, 26> signs = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                                                   "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
        for (const std::string_view sign : signs) {
            if (!looking_at(sign)) continue;
            balance(open, sign[0]);
            add(TokenKind::sign, std::string(sign));
            return move_to(at_ + sign.size());
        }
        refuse(fmt::format("unexpected character '{}'", source_.substr(at_, character_size(source_, at_))));
    }

    void balance(std::string& open, char c) const {
        if (c == '(') open += ')';
        else if (c == '[') open += ']';
        else if (c == '{') open += '}';
        if (c != ')' && c != ']' && c != '}') return;
        if (open.empty()) refuse(fmt::format("unexpected '{}'", c));
        if (open.back() != c) refuse(fmt::format("unexpected '{}', expected '{}'", c, open.back()));
        open.pop_back();
    }

    void name() {
        std::size_t end = at_;
        while (end < source_.size() && is_word(character_at(source_, end))) end += character_size(source_, end);
        add(TokenKind::name, std::string(source_.substr(at_, end - at_)));
        move_to(end);
    }

    void text() {
        std::size_t end = at_ + 1;
        while (end < source_.size() && source_[end] != source_[at_]) end += source_[end] == '\\' ? 2 : 1;
        if (end >= source_.size()) refuse("a text literal is not closed");
        add(TokenKind::text, unescape(source_.substr(at_ + 1, end - at_ - 1)));
        move_to(end + 1);
    }

    std::string unescape(std::string_view inner) const {
        try {
            return unescape_text(inner);
        } catch (const SyntaxFailure&) {
            throw;
        } catch (const Failure& failure) {
            refuse(failure.what());
        }
    }

    void number() {
        const bool after_dot = !tokens_.empty() && at_ > 0 && source_[at_ - 1] == '.';
        const NumberLiteral literal = read_number(source_.substr(at_), !after_dot);
        if (literal.overflow) refuse("an integer literal does not fit in 64 bits");
        add(literal.is_real ? TokenKind::real : TokenKind::integer, std::string(source_.substr(at_, literal.size)));
        tokens_.back().integer = literal.integer;
        tokens_.back().real = literal.real;
        move_to(at_ + literal.size);
    }

    bool trims_;
    std::string kept_;
    std::string_view source_;
    std::size_t at_ = 0;
    Place place_;
    bool line_starting_ = true;  // the last mark ended with a line end, or there was none yet
    std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, const Dialect& dialect) { return Lexer(source, dialect).run(); }

}  // namespace temper::jinja
