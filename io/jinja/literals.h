// Numbers and text as they are written in a template.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace temper::jinja {

struct NumberLiteral {
    std::size_t size = 0;  // bytes read
    bool is_real = false;
    bool overflow = false;
    std::int64_t integer = 0;
    double real = 0;
};
// The number that `text` begins with (its first byte is a digit): 0b, 0o, 0x, decimal with _, and floats when allowed.
NumberLiteral read_number(std::string_view text, bool floats_allowed);

// Python's escapes inside a text literal; unknown ones stay as they are. Failure for a broken one.
std::string unescape_text(std::string_view inner);

// int(text, base) and float(text) of Python: outer whitespace and _ between digits are fine; nothing when the text is not a number.
std::optional<std::int64_t> parse_integer(std::string_view text, int base);  // Failure when it does not fit in 64 bits
std::optional<double> parse_float(std::string_view text);

}  // namespace temper::jinja
