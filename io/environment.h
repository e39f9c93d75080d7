// Variables of the environment. Nothing here changes them.
#pragma once
#include <string>

namespace temper {

std::string environment_text(const char* name);  // "" where it is not set
// What a setting names as the place of a secret; "" where the setting names none. usage opening with `place` when the variable is not set.
std::string environment_secret(const std::string& name, const std::string& place);

}  // namespace temper
