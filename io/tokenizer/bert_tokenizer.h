// BERT's tokenizer from its vocabulary alone: what stood in vocab.txt before there was a tokenizer.json.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "io/jsonl.h"
#include "io/tokenizer/tokenizer_config.h"

namespace temper::tok {

struct BertSettings {
    bool lowercase = true, chinese = true;  // do_lower_case, tokenize_chinese_chars
    Json strip_accents = nullptr;           // null: as lowercase
    std::string unknown = "[UNK]", separator = "[SEP]", padding = "[PAD]", start = "[CLS]", mask = "[MASK]";
};

// A tokenizer.json. bad_data opening with `place` where a token of the settings, or two of the same, are in the vocabulary.
Json bert_document(const std::vector<std::string>& tokens, const BertSettings& settings, const std::string& place);
// Lines of vocab.txt, with the settings of tokenizer_config.json.
Json bert_document(const std::filesystem::path& vocabulary, const TokenizerConfig& config);

}  // namespace temper::tok
