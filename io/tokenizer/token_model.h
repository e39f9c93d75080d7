// What turns the words of a text into tokens: the "model" of tokenizer.json.
#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "io/tokenizer/vocabulary.h"

namespace temper::tok {

struct Symbol {
    std::int32_t id;
    std::uint32_t begin, end;  // bytes of the word
};

struct Word {
    std::size_t begin, end;
};

class TokenModel {
  public:
    // BPE, Unigram, WordPiece, WordLevel; bad_data names any other, and the field at fault.
    static std::unique_ptr<TokenModel> read(const JsonSection& model);
    virtual ~TokenModel() = default;
    TokenModel(const TokenModel&) = delete;
    TokenModel& operator=(const TokenModel&) = delete;

    // Appends the word's symbols. Plain: a control token that the word spells is none, for user text that must not command. Thread-safe.
    virtual void encode(std::string_view word, bool plain, std::vector<Symbol>& symbols) const = 0;
    // Tokens that plain text never gives. To be called before the first word.
    void set_control(const std::vector<std::int32_t>& ids);
    // Where no pre-tokenizer cuts: whether the model knows places that no token reaches over, and the words between them, as a WordCutter.
    virtual bool knows_words() const { return false; }
    virtual std::size_t cut(std::string_view text, std::size_t& at, Word* words, std::size_t capacity) const {
        if (capacity == 0 || at >= text.size()) return 0;
        words[0] = {at, text.size()};
        at = text.size();
        return 1;
    }

    const Vocabulary& vocabulary() const { return vocabulary_; }

  protected:
    explicit TokenModel(const JsonSection& model) : vocabulary_(model) {}
    explicit TokenModel(std::vector<std::string> tokens) : vocabulary_(std::move(tokens)) {}
    bool is_control(std::int32_t id) const { return !control_.empty() && control_[static_cast<std::size_t>(id)]; }

  private:
    Vocabulary vocabulary_;
    std::vector<bool> control_;  // by id; empty where there are none
};

}  // namespace temper::tok
