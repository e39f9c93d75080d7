// Internal to cli/: see config_import.cpp.
#pragma once
#include "cli/command.h"

namespace temper {

void add_config_import(Command& config);

}  // namespace temper
