// Oniguruma's Ruby syntax, as far as tokenizers use it, to PCRE2 (UTF, UCP, MULTILINE). A recursive descent over the pattern that emits
// as it reads. Differences that matter: \s (PCRE2 takes U+180E), \w, \h (a hexadecimal digit), (?m:...) (dot takes newlines), ^ and $
// (always at lines), {,n}, and \p{...} by the reference's version of Unicode.
#include <algorithm>
#include <cctype>

#include "io/tokenizer/regex.h"
#include "io/unicode.h"
#include "io/unicode_tables.h"
#include "kernels/error.h"

namespace temper::tok {

namespace {

constexpr std::string_view space_items = "\\x09-\\x0d\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
constexpr std::string_view not_space_items =
    "\\x00-\\x08\\x0e-\\x1f\\x21-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}"
    "\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}";

constexpr std::string_view general_categories[] = {"L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mc", "Me", "N",  "Nd", "Nl", "No", "P",  "Pc",
                                                   "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z",  "Zs", "Zl", "Zp"};
constexpr std::string_view scripts[] = {"Han", "Hiragana", "Katakana", "Hangul"};

// Items of a bracket expression for \p{name}; empty when the name is not one of ours.
std::string property_items(std::string_view name) {
    std::string items;
    if (std::find(std::begin(general_categories), std::end(general_categories), name) != std::end(general_categories))
        items = fmt::format("\\p{{{}}}", name);
    if (std::find(std::begin(scripts), std::end(scripts), name) != std::end(scripts)) items = fmt::format("\\p{{sc:{}}}", name);
    if (items.empty()) return items;
    for (const CategoryRange& row : category_additions()) {
        const std::string_view category = row.name;
        const bool same = category == name || (name.size() == 1 && category.size() == 2 && category[0] == name[0]);
        if (same) items += fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", static_cast<unsigned>(row.first), static_cast<unsigned>(row.last));
    }
    return items;
}

// L, M, Nd, Nl, Pc, the alphabetic symbols, and the fractions and superscripts of Latin-1, which Oniguruma counts in.
std::string word_items() {
    return property_items("L") + property_items("M") + property_items("Nd") + property_items("Nl") + property_items("Pc") +
           "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}";
}

class Translator {
  public:
    Translator(std::string_view pattern, const std::string& place) : in_(pattern), place_(place) {}

    std::string run() {
        if (in_.size() > 65536) fail("longer than 65536 bytes");
        if (in_.substr(0, 4) == "(?i)") {  // for the whole pattern; elsewhere Ruby and Perl give it different reach
            at_ = 4;
            caseless_ = true;
            out_ += "(?i)";
        }
        alternatives();
        if (at_ < in_.size()) fail("unmatched )");
        return out_;
    }

  private:
    [[noreturn]] void fail(std::string_view what) const {
        throw_error(ExitCode::bad_data, "{}: regular expression \"{}\", byte {}: {} is not supported", place_, in_, at_, what);
    }
    bool done() const { return at_ >= in_.size(); }
    char peek() const { return at_ < in_.size() ? in_[at_] : '\0'; }
    char take() {
        if (done()) fail("an end in the middle of an item");
        return in_[at_++];
    }
    bool accept(std::string_view text) {
        if (in_.substr(at_, text.size()) != text) return false;
        at_ += text.size();
        return true;
    }

    void alternatives() {
        if (++depth_ > 64) fail("nesting deeper than 64");
        while (!done() && peek() != ')') {
            if (accept("|")) {
                out_ += '|';
                continue;
            }
            const bool repeats = item();
            if (is_quantifier()) {
                if (!repeats) fail("a quantifier here");
                quantifier();
            }
        }
        --depth_;
    }

    // One item; whether a quantifier may follow.
    bool item() {
        const char c = peek();
        if (c == '(') return group();
        if (c == '[') {
            bracket();
            return true;
        }
        if (c == '\\') return escape();
        if (c == '^' || c == '$') {
            out_ += take();
            return false;
        }
        if (c == '.') {
            out_ += take();
            return true;
        }
        if (c == '*' || c == '+' || c == '?') fail("a quantifier here");
        literal(character());
        return true;
    }

    bool group() {
        take();
        const bool outer_caseless = caseless_;
        bool repeats = true;
        if (accept("?=") || accept("?!") || accept("?<=") || accept("?<!")) {
            const std::size_t open = in_.rfind('(', at_ - 1);
            out_ += in_.substr(open, at_ - open);
            repeats = false;
        } else if (accept("?:") || accept("?>")) {
            out_ += in_[at_ - 1] == ':' ? "(?:" : "(?>";
        } else if (accept("?")) {
            option_group();
        } else {
            out_ += '(';
        }
        alternatives();
        if (!accept(")")) fail("an unmatched (");
        out_ += ')';
        caseless_ = outer_caseless;
        return repeats;
    }

    void option_group() {
        bool on = true;
        std::string added, removed;
        for (char c = take(); c != ':'; c = take()) {
            if (c == '-' && on) on = false;
            else if (c == 'i' || c == 'm') (on ? added : removed) += c == 'm' ? 's' : 'i';
            else fail("this kind of group");
            if (c == 'i') caseless_ = on;
        }
        out_ += "(?" + added + (removed.empty() ? "" : "-" + removed) + ":";
    }

    bool is_quantifier() const {
        const char c = peek();
        return c == '*' || c == '+' || c == '?' || (c == '{' && interval_end() != std::string_view::npos);
    }
    // Offset behind {n}, {n,}, {,n} or {n,m}; npos where the brace is a literal.
    std::size_t interval_end() const {
        std::size_t at = at_ + 1, digits = 0, commas = 0;
        for (; at < in_.size() && in_[at] != '}'; ++at) {
            if (in_[at] == ',') ++commas;
            else if (std::isdigit(static_cast<unsigned char>(in_[at]))) ++digits;
            else return std::string_view::npos;
        }
        return at < in_.size() && digits > 0 && commas <= 1 ? at + 1 : std::string_view::npos;
    }
    void quantifier() {
        const bool interval = peek() == '{';
        bool exact = false;
        if (interval) {
            const std::size_t end = interval_end();
            std::string text(in_.substr(at_, end - at_));
            if (text[1] == ',') text.insert(1, "0");
            exact = text.find(',') == std::string::npos;
            out_ += text;
            at_ = end;
        } else {
            out_ += take();
        }
        if (peek() == '?' && !exact) out_ += take();
        else if (peek() == '+' && !interval) out_ += take();
        if (is_quantifier()) fail("a quantifier of a quantifier");
    }

    char32_t character() {
        const char32_t c = decode_character(in_, at_);
        at_ += character_size(in_[at_]);
        return c;
    }
    void literal(char32_t c) {
        const bool plain = c >= 0x80 || std::isalnum(static_cast<int>(c)) || c == '_';
        if (c < 0x20 || c == 0x7f) out_ += fmt::format("\\x{{{:x}}}", static_cast<unsigned>(c));
        else out_ += (plain ? "" : "\\") + to_utf8(c);
    }

    // The character that an escape like \n or \x{2028} stands for, after the backslash; false: it is no single character.
    bool escaped_character(char32_t& c) {
        const char name = peek();
        constexpr std::string_view names = "nrtfvae", values = "\n\r\t\f\v\a\x1b";
        if (const std::size_t index = names.find(name); !done() && index != std::string_view::npos) {
            c = static_cast<unsigned char>(values[index]);
            ++at_;
            return true;
        }
        if (name == 'x' || name == 'u') return ++at_, c = hexadecimal(name), true;
        if (static_cast<unsigned char>(name) >= 0x80 || (std::ispunct(static_cast<unsigned char>(name)) || name == ' ')) return c = character(), true;
        return false;
    }
    char32_t hexadecimal(char kind) {
        const bool braces = kind == 'x' && accept("{");
        const std::size_t most = braces ? 8 : kind == 'u' ? 4 : 2;
        std::uint64_t value = 0;
        std::size_t digits = 0;
        for (; digits < most && std::isxdigit(static_cast<unsigned char>(peek())); ++digits)
            value = value * 16 + static_cast<std::uint64_t>(std::stoi(std::string(1, take()), nullptr, 16));
        const bool scalar = value < 0xd800 || (value > 0xdfff && value <= 0x10ffff);
        if (digits == 0 || (kind == 'u' && digits < 4) || (braces && !accept("}")) || !scalar || (kind == 'x' && !braces && value > 0x7f))
            fail("this number of a character");
        return static_cast<char32_t>(value);
    }

    // Items of a bracket expression for \s, \d, \w, \h, \p{...}; `negated` for the capital letter. Empty: no class.
    std::string class_escape(bool& negated) {
        const char name = peek();
        negated = name == 'S' || name == 'D' || name == 'W' || name == 'H' || name == 'P';
        switch (name) {
            case 's':
            case 'S': ++at_; return std::string(space_items);
            case 'd':
            case 'D': ++at_; return property_items("Nd");
            case 'w':
            case 'W': ++at_; return word_items();
            case 'h':
            case 'H': ++at_; return "0-9A-Fa-f";
            case 'p':
            case 'P': break;
            default: return {};
        }
        ++at_;
        const std::size_t close = in_.find('}', at_);
        if (!accept("{") || close == std::string_view::npos) fail("\\p without {name}");
        if (accept("^")) negated = !negated;
        const std::string_view property = in_.substr(at_, close - at_);
        if (caseless_ && (property == "Lu" || property == "Ll" || property == "Lt")) fail("a case property where case is ignored");
        const std::string items = property_items(property);
        if (items.empty()) fail(fmt::format("\\p{{{}}}", property));
        at_ = close + 1;
        return items;
    }

    bool escape() {
        take();
        bool negated = false;
        if (const std::string items = class_escape(negated); !items.empty()) {
            out_ += (negated ? "[^" : "[") + items + "]";
            return true;
        }
        char32_t c = 0;
        if (escaped_character(c)) {
            literal(c);
            return true;
        }
        const char name = take();
        const std::string word = "[" + word_items() + "]";
        if (name == 'A' || name == 'z' || name == 'Z') out_ += std::string("\\") + name;
        else if (name == 'b') out_ += fmt::format("(?:(?<={0})(?!{0})|(?<!{0})(?={0}))", word);
        else if (name == 'B') out_ += fmt::format("(?:(?<={0})(?={0})|(?<!{0})(?!{0}))", word);
        else fail(fmt::format("\\{}", name));
        return false;
    }

    void bracket() {
        take();
        out_ += accept("^") ? "[^" : "[";
        if (peek() == ']') fail("an empty bracket expression");
        while (peek() != ']') {
            if (peek() == '[') fail("a bracket expression in a bracket expression");
            if (in_.substr(at_, 2) == "&&") fail("&&");
            bracket_item();
        }
        take();
        out_ += ']';
    }
    void bracket_item() {
        if (peek() == '\\') {
            const std::size_t start = at_++;
            bool negated = false;
            if (const std::string items = class_escape(negated); !items.empty()) {
                if (negated && in_.substr(start, 2) != "\\S") fail("a negated class in a bracket expression");
                out_ += negated ? std::string(not_space_items) : items;
                if (peek() == '-' && in_.substr(at_, 2) != "-]") fail("a range from a class");
                return;
            }
            at_ = start;
        }
        literal(bracket_character());
        if (peek() == '-' && at_ + 1 < in_.size() && in_[at_ + 1] != ']') {
            ++at_;
            out_ += '-';
            if (peek() == '[') fail("a range to a class");
            literal(bracket_character());
        }
    }
    char32_t bracket_character() {
        if (!accept("\\")) return done() ? static_cast<char32_t>(take()) : character();
        char32_t c = 0;
        if (accept("b")) return '\b';
        if (!escaped_character(c)) fail(fmt::format("\\{}", peek()));
        return c;
    }

    std::string_view in_;
    const std::string& place_;
    std::string out_;
    std::size_t at_ = 0;
    int depth_ = 0;
    bool caseless_ = false;
};

}  // namespace

std::string oniguruma_to_pcre2(std::string_view pattern, const std::string& place) { return Translator(pattern, place).run(); }

std::string escape_literal(std::string_view text) {
    std::string pattern;
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x80 && std::ispunct(static_cast<unsigned char>(c))) pattern += '\\';
        pattern += c;
    }
    return pattern;
}

}  // namespace temper::tok
