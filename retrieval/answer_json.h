// The JSON in what a model answered.
#pragma once
#include <string>

namespace temper {

// Without what a model thinks first (<think>…</think>), the fence of Markdown around it and what is said before and behind: the last object or list of
// rows in a fence, else the only one there is; code inside its texts does not end it. Where several stand side by side, all of them, which is no JSON;
// where there is none, the whole answer without white space at its ends. In time linear in the answer.
std::string json_in_answer(const std::string& answer);

}  // namespace temper
