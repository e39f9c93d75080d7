// Texts as Python's str has them: what references split and strip by.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace temper {

bool is_python_space(char32_t c);                                   // str.isspace
std::vector<std::string_view> python_split(std::string_view text);  // str.split()
std::string_view python_rstrip(std::string_view text);
std::string_view python_strip(std::string_view text);
std::string python_lower(std::string_view text);  // str.lower()

}  // namespace temper
