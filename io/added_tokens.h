// Tokens matched whole in the text before anything else: special tokens and others that were added to the vocabulary.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/bpe.h"
#include "io/text_steps.h"

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

// Byte strings with a value; finds the longest that a text has at a place.
class TokenTrie {
  public:
    void add(std::string_view bytes, std::int32_t value);
    bool contains(std::string_view bytes) const;
    bool empty() const { return nodes_.size() == 1; }
    // Value and length of the longest, or length 0.
    std::pair<std::int32_t, std::size_t> longest(std::string_view text, std::size_t at) const;

  private:
    struct Node {
        std::vector<std::pair<unsigned char, std::uint32_t>> children;  // sorted
        std::int32_t value = -1;
    };
    std::uint32_t child(std::uint32_t node, unsigned char byte) const;  // 0 where there is none
    std::vector<Node> nodes_ = {Node()};
};

class AddedTokens {
  public:
    // A known content keeps its id and takes the new flags; a new one takes the vocabulary's id, or else the next free one.
    void add(const std::vector<AddedToken>& tokens, const Bpe& model);
    // To be called after the last add.
    void build(const TextSteps& normalizer, const std::string& place);

    std::optional<std::int32_t> find(std::string_view content) const;
    const AddedToken* token(std::int32_t id) const;
    const std::string* decoded(std::int32_t id) const;  // what decoding gives: the normalized form
    bool is_special(std::int32_t id) const;
    std::int64_t id_limit() const { return by_id_.empty() ? 0 : by_id_.rbegin()->first + 1; }
    const std::map<std::int32_t, AddedToken>& by_id() const { return by_id_; }

    void extract(TextPieces& text, bool normalized) const;

  private:
    std::map<std::int32_t, AddedToken> by_id_;
    std::unordered_map<std::string, std::int32_t> ids_;
    std::unordered_map<std::int32_t, std::string> normal_forms_;  // where they differ from the content
    TokenTrie plain_, normalized_;
};

}  // namespace temper::tok
