// The slow path behind TokenDataset: files to tokens. Internal to train/.
#pragma once
#include <functional>

#include "train/dataset.h"

namespace temper {

struct TokenizedRows {
    std::vector<std::int64_t> offsets{0};  // rows + 1
    std::vector<std::int64_t> lines;       // file index * 2^40 + line, a row
    std::vector<std::int32_t> ids;
    std::vector<std::uint8_t> supervised;
    DataReport report;
    std::vector<DataSource> sources;
    std::string template_sha256;
};

// Hash of the files' bytes, the tokenizer, the template and every setting that decides tokens or marks.
std::string token_cache_key(const TokenDataset::Request& request, const Tokenizer& tokenizer);
// `alive` is called now and then while rows are read.
TokenizedRows tokenize_rows(const TokenDataset::Request& request, const Tokenizer& tokenizer, const std::function<void()>& alive);

}  // namespace temper
