// Unigram language model: of all ways to cut a word into tokens the one with the highest sum of scores. [Kudo 2018]
#pragma once
#include "io/tokenizer/byte_trie.h"
#include "io/tokenizer/token_model.h"

namespace temper::tok {

class Unigram : public TokenModel {
  public:
    explicit Unigram(const JsonSection& model);
    // A character that no token covers is unknown; neighbours of that kind are one unknown token, or their bytes' tokens.
    void encode(std::string_view word, bool plain, std::vector<Symbol>& symbols) const override;

  private:
    void put(std::string_view word, std::size_t begin, std::size_t end, bool plain, std::vector<Symbol>& symbols) const;

    std::vector<double> scores_;
    ByteTrie trie_;
    std::vector<std::int32_t> bytes_;  // id of <0x00> ... <0xFF>, or -1; empty without byte fallback
    std::int32_t unknown_ = -1;
    double unknown_score_ = 0;
};

}  // namespace temper::tok
