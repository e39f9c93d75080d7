#include "io/jinja/literals.h"

#include <algorithm>
#include <charconv>

#include "io/jinja/text.h"
#include "io/jinja/value.h"

namespace temper::jinja {
namespace {

int digit_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'z' ? lower - 'a' + 10 : 99;
}

// Bytes of the run of digits with single _ between them.
std::size_t digit_run(std::string_view text, int base) {
    std::size_t end = 0;
    while (end < text.size()) {
        if (digit_value(text[end]) < base) ++end;
        else if (text[end] == '_' && end > 0 && end + 1 < text.size() && digit_value(text[end + 1]) < base) end += 2;
        else break;
    }
    return end;
}

std::string without_underscores(std::string_view text) {
    std::string out(text);
    std::erase(out, '_');
    return out;
}

bool read_integer(const std::string& digits, int base, std::int64_t& value) {
    return std::from_chars(digits.data(), digits.data() + digits.size(), value, base).ec == std::errc();
}

int prefix_base(std::string_view text) {
    if (text.size() < 2 || text[0] != '0') return 0;
    const char kind = static_cast<char>(text[1] | 0x20);
    return kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 0;
}

double read_real(const std::string& digits) {
    double value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc::result_out_of_range) return std::strtod(digits.c_str(), nullptr);  // inf or 0, as Python reads it
    return value;
}

// Bytes of a float at the start of `text`, 0 when there is none. A dot or an exponent is needed.
std::size_t float_run(std::string_view text) {
    std::size_t end = digit_run(text, 10);
    if (end == 0) return 0;
    bool real = false;
    if (end < text.size() && text[end] == '.')
        if (const std::size_t fraction = digit_run(text.substr(end + 1), 10)) {
            end += 1 + fraction;
            real = true;
        }
    if (end < text.size() && (text[end] | 0x20) == 'e') {
        std::size_t exponent = end + 1;
        if (exponent < text.size() && (text[exponent] == '+' || text[exponent] == '-')) ++exponent;
        if (const std::size_t digits = digit_run(text.substr(std::min(exponent, text.size())), 10)) {
            end = exponent + digits;
            real = true;
        }
    }
    return real ? end : 0;
}

std::size_t integer_run(std::string_view text) {
    if (text[0] != '0') return digit_run(text, 10);
    std::size_t end = 1;  // a decimal that begins with 0 is only zeros
    while (end < text.size() && (text[end] == '0' || (text[end] == '_' && end + 1 < text.size() && text[end + 1] == '0'))) ++end;
    return end;
}

}  // namespace

NumberLiteral read_number(std::string_view text, bool floats_allowed) {
    NumberLiteral literal;
    if (floats_allowed && (literal.size = float_run(text))) {
        literal.is_real = true;
        literal.real = read_real(without_underscores(text.substr(0, literal.size)));
        return literal;
    }
    int base = prefix_base(text);
    std::string_view digits = text.substr(base ? 2 : 0);
    if (base && !digits.empty() && digits[0] == '_') digits.remove_prefix(1);
    const std::size_t run = base ? digit_run(digits, base) : 0;
    if (run) {
        literal.size = static_cast<std::size_t>(digits.data() - text.data()) + run;
    } else {
        base = 10;
        digits = text;
        literal.size = integer_run(text);
    }
    const std::string plain = without_underscores(digits.substr(0, run ? run : literal.size));
    literal.overflow = !read_integer(plain, base, literal.integer);
    return literal;
}

std::string unescape_text(std::string_view inner) {
    std::string out;
    out.reserve(inner.size());
    const auto hex = [&](std::size_t at, std::size_t count, char kind) {
        char32_t code = 0;
        for (std::size_t i = at; i < at + count; ++i) {
            if (i >= inner.size() || digit_value(inner[i]) > 15) fail("truncated \\{} escape in a text literal", kind);
            code = code * 16 + static_cast<char32_t>(digit_value(inner[i]));
        }
        if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) fail("\\{} escape names no Unicode character", kind);
        append_character(out, code);
    };
    for (std::size_t at = 0; at < inner.size(); ++at) {
        if (inner[at] != '\\' || at + 1 == inner.size()) {
            out += inner[at];
            continue;
        }
        const char c = inner[++at];
        switch (c) {
            case '\n': break;
            case 'n': out += '\n'; break;
            case 't': out += '\t'; break;
            case 'r': out += '\r'; break;
            case 'a': out += '\a'; break;
            case 'b': out += '\b'; break;
            case 'f': out += '\f'; break;
            case 'v': out += '\v'; break;
            case '\\':
            case '\'':
            case '"': out += c; break;
            case 'x':
                hex(at + 1, 2, c);
                at += 2;
                break;
            case 'u':
                hex(at + 1, 4, c);
                at += 4;
                break;
            case 'U':
                hex(at + 1, 8, c);
                at += 8;
                break;
            case 'N': fail("\\N escapes are not supported; write the character itself");
            default:
                if (c < '0' || c > '7') {
                    (out += '\\') += c;
                    break;
                }
                char32_t code = 0;
                std::size_t end = at;
                for (; end < inner.size() && end < at + 3 && inner[end] >= '0' && inner[end] <= '7'; ++end)
                    code = code * 8 + static_cast<char32_t>(inner[end] - '0');
                append_character(out, code);
                at = end - 1;
        }
    }
    return out;
}

std::optional<std::int64_t> parse_integer(std::string_view text, int base) {
    text = strip(text, Side::both);
    bool negative = false;
    if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
        negative = text[0] == '-';
        text.remove_prefix(1);
    }
    const int prefix = prefix_base(text);
    if (prefix && (base == 0 || base == prefix)) {
        text.remove_prefix(2);
        if (!text.empty() && text[0] == '_') text.remove_prefix(1);
        base = prefix;
    } else if (base == 0) {
        if (text.size() > 1 && text[0] == '0' && text.find_first_not_of("0_") != text.npos) return std::nullopt;
        base = 10;
    }
    if (text.empty() || digit_run(text, base) != text.size()) return std::nullopt;
    std::int64_t value = 0;
    if (!read_integer((negative ? "-" : "") + without_underscores(text), base, value)) fail("the integer {} does not fit in 64 bits", text);
    return value;
}

std::optional<double> parse_float(std::string_view text) {
    text = strip(text, Side::both);
    const bool negative = !text.empty() && text[0] == '-';
    std::string_view rest = text.substr(!text.empty() && (text[0] == '-' || text[0] == '+'));
    const double sign = negative ? -1 : 1;
    const std::string lower = to_lower(rest);
    if (lower == "inf" || lower == "infinity") return sign * __builtin_inf();
    if (lower == "nan") return __builtin_nan("");
    std::string digits(rest);
    if (!digits.empty() && digits[0] == '.') digits.insert(0, "0");  // ".5"
    if (const auto dot = digits.find('.'); dot != digits.npos && (dot + 1 == digits.size() || (digits[dot + 1] | 0x20) == 'e'))
        digits.insert(dot + 1, "0");  // "5." and "5.e3"
    const std::size_t run = std::max(float_run(digits), digit_run(digits, 10));
    if (run == 0 || run != digits.size() || rest == ".") return std::nullopt;
    return sign * read_real(without_underscores(digits));
}

}  // namespace temper::jinja
