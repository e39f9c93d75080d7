// The answer to --json: one object as the last line of stdout.
#pragma once
#include "io/jsonl.h"

namespace temper {

// Text that is no UTF-8 (a path, an error's words) is written with replacement characters: it must not stop a result.
void print_result(const Json& result);

}  // namespace temper
