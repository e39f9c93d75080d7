#include "train/dataset.h"

#include <algorithm>

#include "train/dataset_build.h"

namespace temper {

TokenDataset TokenDataset::open(const Request& request, const Tokenizer& tokenizer, Comm& comm) {
    return TokenDataset(TokenFile::open(request.cache_directory, token_cache_key(request, tokenizer), comm,
                                        [&](const auto& alive) { return tokenize_rows(request, tokenizer, alive); }));
}

TokenDataset TokenDataset::from_rows(const std::vector<TokenRow>& rows) {
    TokenTable all(1);
    all.sources.push_back({"rows", "", static_cast<std::int64_t>(rows.size()), "", {}});
    for (const TokenRow& row : rows) {
        all.add_list(row.ids);
        all.marks.insert(all.marks.end(), row.supervised.begin(), row.supervised.end());
        all.lines.push_back(all.rows() + 1);
    }
    return TokenDataset(TokenFile::in_memory(all));
}

std::int64_t TokenDataset::labels(std::int64_t row) const {
    const auto marks = supervised(row);
    return std::count(marks.begin() + 1, marks.end(), std::uint8_t{1});
}

}  // namespace temper
