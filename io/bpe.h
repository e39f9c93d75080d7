// Byte-pair encoding: a word becomes symbols, and the pair of neighbours with the lowest rank is joined until no pair is in the merges.
// [Sennrich, Haddow, Birch 2016], with the reference's unknown token and byte fallback.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/json_section.h"

namespace temper::tok {

struct Symbol {
    std::int32_t id;
    std::uint32_t begin, end;  // bytes of the word
};

// Pair of ids -> rank and id of what they become; open addressing.
class MergeTable {
  public:
    struct Merge {
        std::uint32_t rank;
        std::int32_t id;
    };
    void reserve(std::size_t merges);
    void set(std::int32_t left, std::int32_t right, Merge merge);  // a later one wins
    const Merge* find(std::int32_t left, std::int32_t right) const {
        for (std::size_t at = slot(key(left, right));; at = (at + 1) & mask_) {
            if (keys_[at] == key(left, right)) return &merges_[at];
            if (keys_[at] == empty) return nullptr;
        }
    }
    std::size_t size() const { return size_; }

  private:
    static constexpr std::uint64_t empty = ~std::uint64_t(0);
    static std::uint64_t key(std::int32_t left, std::int32_t right) {
        return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
    }
    std::size_t slot(std::uint64_t of) const { return static_cast<std::size_t>((of * 0x9e3779b97f4a7c15u) >> 20) & mask_; }
    std::vector<std::uint64_t> keys_ = {empty};
    std::vector<Merge> merges_ = {{0, 0}};
    std::size_t mask_ = 0, size_ = 0;
};

class Bpe {
  public:
    explicit Bpe(const JsonSection& model);  // the "model" of tokenizer.json; bad_data names the field at fault
    Bpe(const Bpe&) = delete;
    Bpe& operator=(const Bpe&) = delete;

    // Appends the word's symbols. A character that is neither in the vocabulary nor covered by bytes or an unknown token gives none,
    // as in the reference. Thread-safe; words are remembered per thread.
    void encode(std::string_view word, std::vector<Symbol>& symbols) const;

    std::size_t size() const { return ids_.size(); }                                     // tokens
    std::int64_t id_limit() const { return static_cast<std::int64_t>(tokens_.size()); }  // highest id + 1
    std::optional<std::int32_t> find(std::string_view token) const;
    const std::string* token(std::int64_t id) const;  // nullptr for a hole

  private:
    void read_vocabulary(const JsonSection& model);
    void read_merges(const JsonSection& model);
    void build_character_table();
    void first_symbols(std::string_view word, std::vector<Symbol>& symbols) const;
    bool add_bytes(std::string_view character, std::uint32_t begin, std::vector<Symbol>& symbols) const;
    std::int32_t find_character(std::string_view character) const;  // -1 where absent
    void merge(std::vector<Symbol>& symbols) const;

    std::vector<std::string> tokens_;
    std::vector<bool> present_;
    std::unordered_map<std::string_view, std::int32_t> ids_;  // keys in tokens_
    MergeTable merges_;
    std::vector<std::int32_t> characters_;     // id of each character below U+0250, or -1
    std::vector<std::int32_t> byte_fallback_;  // id of <0x00> ... <0xFF>, or -1; empty without byte fallback
    std::optional<std::int32_t> unknown_;
    std::string prefix_, suffix_;  // of characters inside a word, of the last character
    bool fuse_unknown_ = false, ignore_merges_ = false;
    std::uint64_t instance_;  // tells this model's remembered words from another's
};

}  // namespace temper::tok
