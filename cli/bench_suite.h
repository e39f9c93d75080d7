// Internal to cli/: see bench_suite.cpp.
#pragma once
#include "cli/command.h"

namespace temper {

void add_bench_suite(Command& bench);

}  // namespace temper
