// The known name closest to a mistyped one, for "did you mean".
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace temper {

// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);
// Empty when none is closer than a third of the name's length (at least 2 edits are forgiven). Ties go to the first.
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

}  // namespace temper
