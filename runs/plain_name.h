// Names that become names of files: of runs, models, prompts and aliases.
#pragma once
#include <string>

namespace temper {

// usage unless 1 to 128 of A-Z a-z 0-9 . _ - beginning with a letter or digit; `what` opens the message.
void check_plain_name(const std::string& what, const std::string& name);

}  // namespace temper
