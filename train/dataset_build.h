// The slow path behind TokenDataset: files to tokens. Internal to train/.
#pragma once
#include <functional>

#include "train/dataset.h"

namespace temper {

// `alive` is called now and then while rows are read.
TokenTable tokenize_rows(const DataRequest& request, const Tokenizer& tokenizer, const std::function<void()>& alive);

}  // namespace temper
