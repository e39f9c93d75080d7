// Rows out of what a model answered, and rows into the two files of a data set.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

// The answer is a JSON object that holds one list of rows, such a list, or one row; what stands around it is taken off (answer_json.h). Each row holds
// `fields` as texts that are not blank, and no two of chosen and rejected that are equal; other names are dropped. At most `most` rows.
// Error (bad_data) says what is wrong in words that the model can follow.
std::vector<Json> rows_of_answer(const std::string& answer, const std::vector<std::string>& fields, std::int64_t most);

// What is asked once when an answer was not taken.
std::string repair_question(const std::string& what_is_wrong, const std::vector<std::string>& fields);

// {"prompt", "completion"} of texts; as messages: a user's and an assistant's.
Json training_row(const Json& row, bool as_messages);

// Equal for rows whose prompts differ in case, spaces and punctuation at the end only.
std::string prompt_key(const std::string& prompt);

// By the document alone: adding documents moves no other one from one side to the other.
bool is_test_document(const std::string& document, double share, std::int64_t seed);

}  // namespace temper
