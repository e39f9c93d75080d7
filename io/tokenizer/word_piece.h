// Models that look words up: WordPiece cuts a word into the longest tokens from the left [Schuster, Nakajima 2012], WordLevel takes it whole.
#pragma once
#include <string>

#include "io/tokenizer/byte_trie.h"
#include "io/tokenizer/token_model.h"

namespace temper::tok {

// A vocabulary that is looked up, with a token for what is not in it.
class LookupModel : public TokenModel {
  protected:
    LookupModel(const JsonSection& model, const std::string& unknown);
    void put_unknown(std::string_view word, std::vector<Symbol>& symbols) const;

  private:
    std::optional<std::int32_t> unknown_;
    std::string unknown_name_;
};

class WordPiece : public LookupModel {
  public:
    explicit WordPiece(const JsonSection& model);
    void encode(std::string_view word, bool plain, std::vector<Symbol>& symbols) const override;

  private:
    ByteTrie heads_, tails_;  // tokens that begin a word; tokens that go on, without the prefix that says so
    std::int64_t longest_word_;
};

class WordLevel : public LookupModel {
  public:
    explicit WordLevel(const JsonSection& model);
    void encode(std::string_view word, bool plain, std::vector<Symbol>& symbols) const override;
};

}  // namespace temper::tok
