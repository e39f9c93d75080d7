#include "io/jinja/format.h"

#include <algorithm>
#include <cmath>

#include "io/jinja/interpreter.h"
#include "io/jinja/operators.h"
#include "io/jinja/print.h"
#include "io/jinja/text.h"

namespace temper::jinja {
namespace {

constexpr std::int64_t max_width = 1 << 20;

// Digits from `text` at `at`; -1 when there are none.
std::int64_t read_count(std::string_view text, std::size_t& at) {
    std::int64_t count = -1;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
        count = std::max<std::int64_t>(count, 0) * 10 + (text[at] - '0');
        if (count > max_width) fail("a format width or precision above {}", max_width);
    }
    return count;
}

std::string integer_digits(std::int64_t number, char type) {
    const auto magnitude = number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
    switch (type) {
        case 'x': return fmt::format("{:x}", magnitude);
        case 'X': return fmt::format("{:X}", magnitude);
        case 'o': return fmt::format("{:o}", magnitude);
        case 'b': return fmt::format("{:b}", magnitude);
        default: return fmt::format("{}", magnitude);
    }
}

std::string padded(std::string_view text, std::int64_t width, char align, std::string_view fill) {
    const auto size = static_cast<std::int64_t>(character_count(text));
    const std::int64_t missing = std::max<std::int64_t>(0, width - size);
    const std::int64_t left = align == '>' ? missing : align == '^' ? missing / 2 : 0;
    std::string out;
    for (std::int64_t i = 0; i < left; ++i) out += fill;
    out += text;
    for (std::int64_t i = left; i < missing; ++i) out += fill;
    return out;
}

struct Flags {
    bool left = false, plus = false, space = false, zero = false, alternate = false;
};

// A number's sign and digits, zero-filled between them when asked.
std::string signed_number(std::string digits, bool negative, const Flags& flags, std::int64_t width, const char* prefix) {
    std::string sign = negative ? "-" : flags.plus ? "+" : flags.space ? " " : "";
    sign += prefix;
    if (flags.zero && !flags.left)
        while (static_cast<std::int64_t>(sign.size() + digits.size()) < width) digits.insert(0, "0");
    return sign + digits;
}

std::string percent_number(const Value& value, char type, const Flags& flags, std::int64_t width, std::int64_t precision) {
    if (value.is_undefined()) fail("{}", value.as<Undefined>()->message());
    if (!value.is_number()) fail("%{} format: a number is required, not {}", type, value.type_name());
    if (std::string_view("eEfFgG").find(type) != std::string_view::npos) {
        const double number = value.number();
        return signed_number(format_float(std::abs(number), type, precision < 0 ? 6 : static_cast<int>(precision)), std::signbit(number), flags,
                             width, "");
    }
    const double* real = value.as<double>();
    if (real && (type == 'x' || type == 'X' || type == 'o')) fail("%{} format: an integer is required, not float", type);
    if (real && !(std::abs(*real) < 9e18)) fail("%{} format: {} is not a 64-bit integer", type, *real);
    const std::int64_t number = real ? static_cast<std::int64_t>(*real) : value.integer();
    std::string digits = integer_digits(number, type);
    while (static_cast<std::int64_t>(digits.size()) < precision) digits.insert(0, "0");
    const char* prefix = !flags.alternate ? "" : type == 'x' ? "0x" : type == 'X' ? "0X" : type == 'o' ? "0o" : "";
    return signed_number(std::move(digits), number < 0, flags, width, prefix);
}

std::string first_characters(std::string_view text, std::int64_t count) {
    return std::string(count < 0 ? text : text.substr(0, character_offset(text, static_cast<std::size_t>(count))));
}

class PercentFormat {
  public:
    PercentFormat(Budget& budget, std::string_view pattern, const Value& values, bool markup)
        : budget_(budget), pattern_(pattern), values_(values), markup_(markup) {}

    std::string run() {
        std::string out;
        while (at_ < pattern_.size()) {
            if (pattern_[at_] != '%') {
                out += pattern_[at_++];
                continue;
            }
            ++at_;
            out += field();
            budget_.charge_bytes(out.size());
        }
        const bool subscriptable = values_.is_undefined() || (values_.has_length_and_items() && !values_.is_text());
        const bool all_used = values_.is_tuple() ? next_ == static_cast<std::size_t>(length_of(values_)) : next_ > 0 || subscriptable;
        if (!all_used) fail("not all arguments converted during string formatting");
        return out;
    }

  private:
    std::string field() {
        std::optional<Value> named = name();
        Flags flags;
        for (; at_ < pattern_.size(); ++at_) {
            const char c = pattern_[at_];
            if (c == '-') flags.left = true;
            else if (c == '+') flags.plus = true;
            else if (c == ' ') flags.space = true;
            else if (c == '0') flags.zero = true;
            else if (c == '#') flags.alternate = true;
            else break;
        }
        std::int64_t width = count(), precision = -1;
        if (at_ < pattern_.size() && pattern_[at_] == '.') {
            ++at_;
            precision = std::max<std::int64_t>(count(), 0);
        }
        if (at_ >= pattern_.size()) fail("incomplete format");
        const char type = pattern_[at_++];
        if (type == '%') return "%";
        const Value value = named ? *named : next();
        return padded(convert(value, type, flags, width, precision), width, flags.left ? '<' : '>', " ");
    }

    std::string convert(const Value& value, char type, const Flags& flags, std::int64_t width, std::int64_t precision) const {
        if (type == 's' || type == 'r' || type == 'a') {
            std::string text = type == 's' ? text_of(value) : repr_of(value);
            if (markup_ && !value.is_markup()) text = escape_html(text);
            return first_characters(text, precision);
        }
        if (type == 'c') {
            if (value.is_text() && length_of(value) == 1) return value.text_bytes();
            fail("%c needs one character");
        }
        if (std::string_view("diuoxXeEfFgG").find(type) == std::string_view::npos) fail("unsupported format character '{}'", type);
        return percent_number(value, type, flags, width, precision);
    }

    std::optional<Value> name() {
        if (at_ >= pattern_.size() || pattern_[at_] != '(') return std::nullopt;
        const std::size_t end = pattern_.find(')', at_);
        if (end == std::string_view::npos) fail("incomplete format key");
        if (!values_.is_mapping()) fail("format requires a mapping");
        const std::string_view key = pattern_.substr(at_ + 1, end - at_ - 1);
        at_ = end + 1;
        std::optional<Value> found = mapping_find(values_, key);
        if (!found) fail("no value for the format key '{}'", key);
        return found;
    }

    std::int64_t count() {
        if (at_ < pattern_.size() && pattern_[at_] == '*') {
            ++at_;
            const Value value = next();
            if (!value.is_integer() || value.integer() < 0 || value.integer() > max_width) fail("* wants an integer between 0 and {}", max_width);
            return value.integer();
        }
        return read_count(pattern_, at_);
    }

    Value next() {
        if (!values_.is_tuple()) {
            if (next_++ > 0) fail("not enough arguments for format string");
            return values_;
        }
        if (next_ >= static_cast<std::size_t>(length_of(values_))) fail("not enough arguments for format string");
        return item_at(values_, static_cast<std::int64_t>(next_++));
    }

    Budget& budget_;
    std::string_view pattern_;
    const Value& values_;
    bool markup_;
    std::size_t at_ = 0, next_ = 0;
};

std::string with_thousands(std::string digits, char separator) {
    std::size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
    while (whole > 3) {
        whole -= 3;
        digits.insert(whole, 1, separator);
    }
    return digits;
}

// [[fill]align][sign][#][0][width][,][.precision][type]
struct Specification {
    std::string fill = " ";
    char align = 0, type = 0, thousands = 0;
    Flags flags;
    std::int64_t width = -1, precision = -1;

    explicit Specification(std::string_view text) {
        std::size_t at = 0;
        const auto is_align = [&](std::size_t i) { return i < text.size() && std::string_view("<>^=").find(text[i]) != std::string_view::npos; };
        const std::size_t first = text.empty() ? 0 : character_size(text, 0);
        if (first && is_align(first)) {
            fill = text.substr(0, first);
            align = text[first];
            at = first + 1;
        } else if (is_align(0)) {
            align = text[at++];
        }
        const auto take = [&](char c) { return at < text.size() && text[at] == c && (++at, true); };
        if (take('+')) flags.plus = true;
        else if (take(' ')) flags.space = true;
        else take('-');
        if (take('#')) flags.alternate = true;
        if (take('0')) {
            flags.zero = !align;
            if (!align) fill = "0";
        }
        width = read_count(text, at);
        if (take(',')) thousands = ',';
        else if (take('_')) thousands = '_';
        if (take('.') && (precision = read_count(text, at)) < 0) fail("format specifier missing precision");
        if (at < text.size()) type = text[at++];
        if (at != text.size()) fail("invalid format specifier '{}'", text);
    }
};

}  // namespace

std::string format_float(double number, char type, int precision) {
    if (std::isnan(number)) return type == 'F' || type == 'E' || type == 'G' ? "NAN" : "nan";
    if (std::isinf(number)) return type == 'F' || type == 'E' || type == 'G' ? "INF" : "inf";
    return fmt::format(fmt::runtime(fmt::format("{{:.{}{}}}", precision, type)), number);
}

Value percent_format(Budget& budget, const Value& pattern, const Value& values) {
    return Value::text(PercentFormat(budget, pattern.text_bytes(), values, pattern.is_markup()).run(), pattern.is_markup());
}

std::string format_value(Budget& budget, const Value& value, std::string_view text) {
    if (text.empty()) return text_of(value);
    const Specification spec(text);
    budget.charge_bytes(static_cast<std::size_t>(std::max<std::int64_t>(spec.width, 0)));
    const bool plain_text = value.is_text() || !value.is_number() || (value.as<bool>() && spec.type == 0);
    if (plain_text) {
        if (!value.is_text() && !value.as<bool>()) fail("a format specifier does not apply to a value of type {}", value.type_name());
        if (spec.type != 0 && spec.type != 's') fail("unknown format code '{}' for a text", spec.type);
        if (spec.align == '=') fail("'=' alignment not allowed for a text");
        return padded(first_characters(text_of(value), spec.precision), spec.width, spec.align ? spec.align : '<', spec.fill);
    }
    std::string digits;
    bool negative = false;
    if (value.is_integer() && (spec.type == 0 || std::string_view("dxXob").find(spec.type) != std::string_view::npos)) {
        if (spec.precision >= 0) fail("precision not allowed in an integer format specifier");
        negative = value.integer() < 0;
        digits = integer_digits(value.integer(), spec.type);
    } else {
        const double number = spec.type == '%' ? value.number() * 100 : value.number();
        negative = std::signbit(number);
        const int precision = spec.precision < 0 ? 6 : static_cast<int>(spec.precision);
        if (spec.type == 0 && spec.precision < 0) digits = float_repr(std::abs(number));
        else if (spec.type == 0) digits = format_float(std::abs(number), 'g', precision);
        else if (spec.type == '%') digits = format_float(std::abs(number), 'f', precision) + "%";
        else if (std::string_view("eEfFgG").find(spec.type) != std::string_view::npos) digits = format_float(std::abs(number), spec.type, precision);
        else fail("unknown format code '{}' for a number", spec.type);
    }
    if (spec.thousands) digits = with_thousands(std::move(digits), spec.thousands);
    Flags flags = spec.flags;
    if (spec.align == '=' && spec.fill == "0") flags.zero = true;
    const char* prefix = !flags.alternate   ? ""
                         : spec.type == 'x' ? "0x"
                         : spec.type == 'X' ? "0X"
                         : spec.type == 'o' ? "0o"
                         : spec.type == 'b' ? "0b"
                                            : "";
    const std::string number = signed_number(std::move(digits), negative, flags, spec.width, prefix);
    return padded(number, spec.width, spec.align && spec.align != '=' ? spec.align : '>', spec.fill);
}

}  // namespace temper::jinja
