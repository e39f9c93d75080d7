// The slow path behind PreferenceDataset: files to tokens. Internal to train/.
#pragma once
#include <functional>

#include "train/preference_dataset.h"

namespace temper {

// `alive` is called now and then while rows are read.
TokenTable tokenize_preferences(const DataRequest& request, const Tokenizer& tokenizer, const std::function<void()>& alive);
// One row behind those of a table: 3 lists, or 2 and a mark that is the label.
void add_preference(TokenTable& table, const PreferenceRow& row, std::int64_t line);

}  // namespace temper
