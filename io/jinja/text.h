// Python's str operations on UTF-8: characters are code points, whitespace and case are Unicode's.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace temper::jinja {

std::size_t character_size(std::string_view text, std::size_t at);  // bytes of the character that starts at `at`
char32_t character_at(std::string_view text, std::size_t at);       // a broken byte reads as U+FFFD
void append_character(std::string& out, char32_t character);
std::size_t character_count(std::string_view text);
std::size_t character_offset(std::string_view text, std::size_t index);  // byte offset of the index-th character, or size()

bool is_space(char32_t character);           // Python's str.isspace
bool is_word(char32_t character);            // \w of Python's re
bool is_digit(char32_t character);           // Python's str.isdigit for the decimal digits and the superscripts
bool is_cased_lower(std::string_view text);  // str.islower
bool is_cased_upper(std::string_view text);  // str.isupper
bool is_letter(char32_t character);
bool is_printable(char32_t character);  // str.isprintable: repr() writes the others as escapes
std::string escape_html(std::string_view text);

enum class Side { left, right, both };
// Whitespace is stripped when `characters` is null, else any of these characters.
std::string_view strip(std::string_view text, Side side, const std::string* characters = nullptr);

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_title(std::string_view text);        // str.title
std::string to_capitalized(std::string_view text);  // str.capitalize
std::string swap_case(std::string_view text);

std::vector<std::string_view> split_space(std::string_view text, std::int64_t most, bool from_right);
std::vector<std::string_view> split_by(std::string_view text, std::string_view separator, std::int64_t most, bool from_right);
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);
std::size_t count_of(std::string_view text, std::string_view part);  // without overlap; an empty part counts the gaps

}  // namespace temper::jinja
