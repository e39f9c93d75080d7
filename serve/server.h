// temper-serve from its settings to its end.
#pragma once
#include "serve/config.h"

namespace temper {

// Loads, listens, prints the URL to stdout, and answers until a stop signal; then no connection is taken any more and what is under way gets
// limits.drain_seconds. 0, or 75 when requests were cut off.
int run_server(const ServeConfig& config);

}  // namespace temper
