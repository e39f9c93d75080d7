// What `temper --version` prints: the build, and the libraries and instruction set of this machine.
#pragma once
#include <string>

namespace temper {

std::string version_text();

}  // namespace temper
