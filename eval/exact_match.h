// Equality of texts after what a task's metric says is dropped: regexes_to_ignore, ignore_case, ignore_punctuation, ignore_numbers.
#pragma once
#include <string>

#include "io/jsonl.h"

namespace temper {

bool exact_match(const std::string& prediction, const std::string& reference, const Json& options);

}  // namespace temper
