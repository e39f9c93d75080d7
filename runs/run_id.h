// The form of a run's id: <utc yyyymmddThhmmssZ>-<run_name>-<id8>, also its directory's name.
#pragma once
#include <string>

namespace temper {

bool is_run_id(const std::string& text);

}  // namespace temper
