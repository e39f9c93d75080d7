// What `temper --version` prints: the build, and the libraries and instruction set of this machine.
#pragma once
#include <map>
#include <string>

namespace temper {

std::string version_text();
// The same for a run's record: name -> text. "git" is the commit that was built.
std::map<std::string, std::string> version_map();

}  // namespace temper
