// Small things with text that is ASCII where it matters: bytes above 127 are left as they are.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace temper {

// Without these characters at both ends.
std::string_view trimmed(std::string_view text, std::string_view blanks = " \t\r\n\f\v");
std::string ascii_lower(std::string_view text);
// Of "a,b,c"; empty ones are left out.
std::vector<std::string> comma_separated(std::string_view text);

}  // namespace temper
