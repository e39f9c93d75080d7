// Tokens matched whole in the text before anything else: special tokens and others that were added to the vocabulary.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/tokenizer/byte_trie.h"
#include "io/tokenizer/text_steps.h"
#include "io/tokenizer/vocabulary.h"
#include "kernels/span.h"

namespace temper::tok {

struct AddedToken {
    std::string content;
    bool single_word = false;  // only where no word character stands beside it
    bool lstrip = false;       // takes the white space before it
    bool rstrip = false;       // and after it
    bool normalized = false;   // is looked for in the normalized text, in its normalized form
    bool special = false;
};
AddedToken read_added_token(const JsonSection& section);  // its "id" is the caller's

// Which special tokens that a text spells are taken for what they are.
struct SpecialRules {
    bool parse = true;                      // none where false
    Span<const std::size_t> barriers = {};  // places in the input, in order: no special token holds the byte before one
};

class AddedTokens {
  public:
    // A known content keeps its id and takes the new flags; a new one takes the vocabulary's id, or else the next free one.
    void add(const std::vector<AddedToken>& tokens, const Vocabulary& vocabulary);
    // To be called after the last add.
    void build(const TextSteps& normalizer, const std::string& place);

    std::optional<std::int32_t> find(std::string_view content) const;
    const AddedToken* token(std::int32_t id) const;
    const std::string* decoded(std::int32_t id) const;  // what decoding gives: the normalized form
    bool is_special(std::int32_t id) const;
    std::int64_t id_limit() const { return by_id_.empty() ? 0 : by_id_.rbegin()->first + 1; }
    const std::map<std::int32_t, AddedToken>& by_id() const { return by_id_; }

    void extract(TextPieces& text, bool normalized, const SpecialRules& rules = {}) const;
    std::vector<std::int32_t> special_ids() const;

  private:
    std::map<std::int32_t, AddedToken> by_id_;
    std::unordered_map<std::string, std::int32_t> ids_;
    std::unordered_map<std::int32_t, std::string> normal_forms_;  // where they differ from the content
    struct Finder {
        ByteTrie trie;
        std::string first_bytes;                                                                    // of all that are looked for
        std::size_t next(std::string_view text, std::size_t at) const;                              // where one may begin
        std::pair<std::int32_t, std::size_t> longest(std::string_view text, std::size_t at) const;  // id and length; length 0: none
    };
    Finder plain_, normalized_;
};

}  // namespace temper::tok
