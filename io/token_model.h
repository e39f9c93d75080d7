// What turns the words of a text into tokens: the "model" of tokenizer.json.
#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "io/vocabulary.h"

namespace temper::tok {

struct Symbol {
    std::int32_t id;
    std::uint32_t begin, end;  // bytes of the word
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
    // Whether a word falls apart before each U+2581 that follows another character: no token reaches over that place.
    virtual bool parts_at_marks() const { return false; }

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
