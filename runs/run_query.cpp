#include "runs/run_query.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "io/nearest.h"
#include "io/text.h"
#include "kernels/error.h"

namespace temper {
namespace {

constexpr std::size_t most_characters = 20000;
constexpr int most_depth = 50, most_tests = 300, most_choices = 1000;

const std::vector<std::string> plain_fields{"run_id",  "run_name",   "kind",       "status",      "parent_run_id", "parent", "exit_code",
                                            "message", "created_at", "updated_at", "finished_at", "config_hash",   "command"};
const std::vector<std::string> sections{"tags", "metrics", "params", "config", "environment", "performance", "cost", "data", "data_report", "stages"};

struct Token {
    enum class Kind : std::uint8_t { end, word, text, number, symbol } kind = Kind::end;
    std::string text;  // of a word in lower case where it is a keyword, as written otherwise
    Json value;
    std::size_t column = 1;
};

bool is_name_begin(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_name_part(char c) { return is_name_begin(c) || std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '/' || c == '@' || c == '-'; }

[[noreturn]] void fail(std::size_t column, const std::string& what, const std::string& place = "query") {
    throw_error(ExitCode::usage, "{}: column {}: {}", place, column, what);
}

class Lexer {
  public:
    explicit Lexer(const std::string& text, std::string place = "query") : text_(text), place_(std::move(place)) {}

    Token next() {
        while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
        Token token;
        token.column = at_ + 1;
        if (at_ == text_.size()) return token;
        const char c = text_[at_];
        if (c == '\'' || c == '"') return quoted(token);
        if (is_name_begin(c)) return name(token);
        const bool sign = (c == '-' || c == '+') && at_ + 1 < text_.size();
        const char digit = sign ? text_[at_ + 1] : c;
        if (std::isdigit(static_cast<unsigned char>(digit)) != 0 || digit == '.') return number(token);
        token.kind = Token::Kind::symbol;
        for (const char* symbol : {"==", "!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ","})
            if (text_.compare(at_, std::string_view(symbol).size(), symbol) == 0) {
                token.text = symbol;
                at_ += token.text.size();
                return token;
            }
        fail(token.column, fmt::format("found {}, expected a field, a value or an operator", found(at_)), place_);
    }

  private:
    std::string found(std::size_t at) const {
        const auto byte = static_cast<unsigned char>(text_[at]);
        return byte >= 0x20 && byte < 0x7f ? fmt::format("'{}'", text_[at]) : fmt::format("the byte 0x{:02x}", byte);
    }

    // Up to the closing quote; a doubled quote stands for itself.
    std::string until(char quote, std::size_t column) {
        std::string text;
        for (++at_; at_ < text_.size(); ++at_) {
            if (text_[at_] != quote) text += text_[at_];
            else if (at_ + 1 < text_.size() && text_[at_ + 1] == quote) text += text_[++at_];
            else {
                ++at_;
                return text;
            }
        }
        fail(column, fmt::format("the text that begins here has no closing {}", quote), place_);
    }

    Token quoted(Token token) {
        token.kind = Token::Kind::text;
        token.value = until(text_[at_], token.column);
        if (find_invalid_utf8(token.value.get<std::string>()) != std::string::npos) fail(token.column, "this text is not UTF-8", place_);
        return token;
    }

    Token name(Token token) {
        token.kind = Token::Kind::word;
        while (at_ < text_.size()) {
            const std::size_t begin = at_;
            if (text_[at_] == '`' || text_[at_] == '"') {
                token.text += until(text_[at_], at_ + 1);
            } else {
                while (at_ < text_.size() && is_name_part(text_[at_])) ++at_;
                token.text += text_.substr(begin, at_ - begin);
            }
            if (at_ == begin) fail(at_ + 1, fmt::format("expected a name behind \"{}\"", token.text), place_);
            if (at_ >= text_.size() || text_[at_] != '.') break;
            token.text += '.';
            if (++at_ == text_.size()) fail(at_, fmt::format("expected a name behind \"{}\"", token.text), place_);
        }
        if (find_invalid_utf8(token.text) != std::string::npos) fail(token.column, "this name is not UTF-8", place_);
        return token;
    }

    Token number(Token token) {
        token.kind = Token::Kind::number;
        const char* begin = text_.data() + at_ + (text_[at_] == '+' ? 1 : 0);
        const char* const end = text_.data() + text_.size();
        double real = 0;
        const auto [behind, error] = std::from_chars(begin, end, real);
        if (error != std::errc() || (behind < end && (is_name_part(*behind) || *behind == '.')))
            fail(token.column, "this is no number; a text stands in quotes", place_);
        std::int64_t whole = 0;
        const auto [whole_behind, whole_error] = std::from_chars(begin, behind, whole);
        if (whole_error == std::errc() && whole_behind == behind) token.value = whole;
        else token.value = real;
        at_ = static_cast<std::size_t>(behind - text_.data());
        return token;
    }

    const std::string& text_;
    const std::string place_;
    std::size_t at_ = 0;
};

class Compiler {
  public:
    explicit Compiler(const std::string& text) : lexer_(text) { advance(); }

    RunQuery compile() {
        query_.sql = condition(0);
        if (token_.kind != Token::Kind::end) fail(token_.column, fmt::format("found {}, expected and, or, or the end", described()));
        return std::move(query_);
    }

  private:
    struct Operand {
        bool field = false;
        std::string sql;
        std::vector<Json> values;  // of its one parameter
        std::size_t column = 0;
        Json literal;
    };

    void advance() { token_ = lexer_.next(); }

    std::string described() const {
        if (token_.kind == Token::Kind::end) return "the end";
        return token_.kind == Token::Kind::text || token_.kind == Token::Kind::number ? token_.value.dump() : "\"" + token_.text + "\"";
    }

    bool is_word(const char* word) const { return token_.kind == Token::Kind::word && ascii_lower(token_.text) == word; }
    bool take_word(const char* word) {
        if (!is_word(word)) return false;
        advance();
        return true;
    }
    bool take_symbol(const char* symbol) {
        if (token_.kind != Token::Kind::symbol || token_.text != symbol) return false;
        advance();
        return true;
    }

    std::string condition(int depth) {
        if (depth > most_depth) fail(token_.column, fmt::format("nested deeper than {}", most_depth));
        std::string sql = both(depth);
        while (take_word("or")) sql = fmt::format("({} OR {})", sql, both(depth));
        return sql;
    }

    std::string both(int depth) {
        std::string sql = negated(depth);
        while (take_word("and")) sql = fmt::format("({} AND {})", sql, negated(depth));
        return sql;
    }

    std::string negated(int depth) {
        if (depth > most_depth) fail(token_.column, fmt::format("nested deeper than {}", most_depth));
        if (take_word("not")) return fmt::format("(NOT {})", negated(depth + 1));
        if (take_symbol("(")) {
            std::string sql = condition(depth + 1);
            if (!take_symbol(")")) fail(token_.column, fmt::format("found {}, expected )", described()));
            return sql;
        }
        return test();
    }

    // Every test is 0 or 1, never null.
    std::string test() {
        if (++tests_ > most_tests) fail(token_.column, fmt::format("more than {} comparisons", most_tests));
        const Operand left = operand();
        if (take_word("is")) {
            const bool negative = take_word("not");
            if (!take_word("null")) fail(token_.column, fmt::format("found {}, expected null or not null", described()));
            use(left);
            return fmt::format("({} IS {}NULL)", left.sql, negative ? "NOT " : "");
        }
        const bool negative = take_word("not");
        if (take_word("in")) return choice(left, negative);
        if (take_word("like")) {
            if (token_.kind != Token::Kind::text) fail(token_.column, fmt::format("found {}, expected a text in quotes", described()));
            use(left);
            query_.values.push_back(token_.value);
            advance();
            return fmt::format("COALESCE({} {}LIKE ?, 0)", left.sql, negative ? "NOT " : "");
        }
        if (negative) fail(token_.column, fmt::format("found {}, expected in or like behind not", described()));
        return comparison(left);
    }

    std::string comparison(const Operand& left) {
        static const std::vector<std::string> operators{"=", "==", "!=", "<>", "<", "<=", ">", ">="};
        if (token_.kind != Token::Kind::symbol || std::find(operators.begin(), operators.end(), token_.text) == operators.end())
            fail(token_.column, fmt::format("found {}, expected = != < <= > >=, in, like or is", described()));
        const std::string symbol = token_.text == "==" ? "=" : token_.text == "!=" ? "<>" : token_.text;
        advance();
        const Operand right = operand();
        // Numbers come before texts in SQLite's order; only equal kinds are compared.
        use(left), use(right), use(left), use(right);
        return fmt::format("COALESCE((typeof({0}) = 'text') = (typeof({1}) = 'text') AND {0} {2} {1}, 0)", left.sql, right.sql, symbol);
    }

    std::string choice(const Operand& left, bool negative) {
        if (!take_symbol("(")) fail(token_.column, fmt::format("found {}, expected (", described()));
        use(left);
        std::string list;
        int count = 0;
        do {
            if (++count > most_choices) fail(token_.column, fmt::format("more than {} values", most_choices));
            const Operand one = operand();
            if (one.field) fail(one.column, "found a field, expected a number or a text in quotes");
            use(one);
            list += list.empty() ? "?" : ", ?";
        } while (take_symbol(","));
        if (!take_symbol(")")) fail(token_.column, fmt::format("found {}, expected , or )", described()));
        return fmt::format("COALESCE({} {}IN ({}), 0)", left.sql, negative ? "NOT " : "", list);
    }

    void use(const Operand& operand) { query_.values.insert(query_.values.end(), operand.values.begin(), operand.values.end()); }

    Operand operand() {
        Operand made;
        made.column = token_.column;
        if (token_.kind == Token::Kind::text || token_.kind == Token::Kind::number) {
            made.sql = "?";
            made.values = {token_.value};
        } else if (is_word("true") || is_word("false")) {
            made.sql = "?";
            made.values = {is_word("true")};
        } else if (is_word("null")) {
            fail(token_.column, "nothing equals null; write is null, or is not null");
        } else if (token_.kind == Token::Kind::word) {
            made.field = true;
            made.sql = run_field_sql(token_.text, fmt::format("query: column {}", token_.column));
            if (token_.text != "status") made.values = {token_.text};
            query_.fields.push_back({token_.text, token_.column});
        } else {
            fail(token_.column, fmt::format("found {}, expected a field, a number or a text in quotes", described()));
        }
        advance();
        return made;
    }

    Lexer lexer_;
    Token token_;
    RunQuery query_;
    int tests_ = 0;
};

}  // namespace

std::vector<std::string> split_field_names(const std::string& text, const std::string& place) {
    std::vector<std::string> names;
    Lexer lexer(text, place);
    for (Token token = lexer.next(); token.kind != Token::Kind::end; token = lexer.next()) {
        if (token.kind != Token::Kind::word) fail(token.column, "expected a field, as in metrics.loss or metrics.`quiz/acc,none`", place);
        names.push_back(token.text);
        token = lexer.next();
        if (token.kind == Token::Kind::end) break;
        if (token.text != ",") fail(token.column, "expected a comma between two fields; a name of other characters stands in backquotes", place);
    }
    return names;
}

std::string run_field_sql(const std::string& name, const std::string& place) {
    const std::size_t dot = name.find('.');
    if (dot == std::string::npos) {
        if (name == "status") return "r.status";  // as it is now, not as its process left it
        if (std::find(plain_fields.begin(), plain_fields.end(), name) == plain_fields.end()) {
            std::vector<std::string> known = plain_fields;
            known.insert(known.end(), sections.begin(), sections.end());
            const std::string nearest = nearest_name(name, known);
            throw_error(ExitCode::usage, "{}: no field \"{}\"{}: expected one of {}, or a name behind {}.", place, name,
                        nearest.empty() ? "" : fmt::format(", did you mean {}?", nearest), fmt::join(plain_fields, ", "), fmt::join(sections, "., "));
        }
    } else if (const std::string section = name.substr(0, dot); std::find(sections.begin(), sections.end(), section) == sections.end()) {
        const std::string nearest = nearest_name(section, sections);
        throw_error(ExitCode::usage, "{}: no section \"{}\"{}: expected one of {}", place, section,
                    nearest.empty() ? "" : fmt::format(", did you mean {}?", nearest), fmt::join(sections, ", "));
    }
    return "(SELECT value FROM fields WHERE run = r.id AND name = (SELECT id FROM names WHERE name = ?))";
}

RunQuery compile_run_query(const std::string& text) {
    if (text.size() > most_characters) fail(most_characters, fmt::format("longer than {} characters", most_characters));
    if (const std::size_t nul = text.find('\0'); nul != std::string::npos) fail(nul + 1, "found a NUL byte");
    return Compiler(text).compile();
}

}  // namespace temper
