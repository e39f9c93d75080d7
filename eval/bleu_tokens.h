// The tokenizers of sacrebleu 2.6.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace temper {

// 13a (mteval-v13a), intl (mteval-v14), char, none. A usage Error for another name.
void check_bleu_tokenizer(const std::string& name);
std::vector<std::string> bleu_tokens(std::string_view line, const std::string& tokenizer);

}  // namespace temper
