// Byte-pair encoding: a word becomes symbols, and the pair of neighbours with the lowest rank is joined until no pair is in the merges.
// [Sennrich, Haddow, Birch 2016], with the reference's unknown token and byte fallback.
#pragma once
#include <optional>
#include <string>

#include "io/tokenizer/neighbours.h"
#include "io/tokenizer/token_model.h"

namespace temper::tok {

// Pair of ids -> rank and id of what they become. The slots hold four bytes each, so that the many pairs that are no merge cost one look at
// memory that stays near; the pair itself stands once, in the order of the ranks.
class MergeTable {
  public:
    struct Merge {
        std::int32_t left, right, id;
    };
    static constexpr std::uint32_t none = ~std::uint32_t(0), most = std::uint32_t(1) << 24;
    void reserve(std::size_t merges);                                  // at most `most`
    void add(std::int32_t left, std::int32_t right, std::int32_t id);  // ranks count up; of equal pairs the last is found
    const Merge& operator[](std::uint32_t rank) const { return merges_[rank]; }
    // Brings near what find will read first.
    void expect(std::int32_t left, std::int32_t right) const { __builtin_prefetch(&slots_[hash_of(left, right) >> shift_]); }
    // The rank, or none.
    std::uint32_t find(std::int32_t left, std::int32_t right) const {
        const std::uint64_t hash = hash_of(left, right);
        const auto tag = static_cast<std::uint32_t>(hash) & ~(most - 1);
        for (std::size_t at = static_cast<std::size_t>(hash >> shift_); slots_[at] != none; at = (at + 1) & mask_) {
            const std::uint32_t rank = slots_[at] & (most - 1);
            if (((slots_[at] ^ tag) & ~(most - 1)) == 0 && merges_[rank].left == left && merges_[rank].right == right) return rank;
        }
        return none;
    }

  private:
    static std::uint64_t hash_of(std::int32_t left, std::int32_t right) {
        const auto key = static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
        const std::uint64_t mixed = (key ^ key >> 29) * 0x9e3779b97f4a7c15u;
        return mixed ^ mixed >> 32;
    }
    std::vector<std::uint32_t> slots_ = {none, none};  // eight bits of the hash over the rank
    std::vector<Merge> merges_;                        // by rank
    std::size_t mask_ = 1;
    int shift_ = 63;
};

class Bpe : public TokenModel {
  public:
    explicit Bpe(const JsonSection& model);

    // A character that is neither in the vocabulary nor covered by bytes or an unknown token gives no symbol, as in the reference.
    void encode(std::string_view word, bool plain, std::vector<Symbol>& symbols) const override;
    bool knows_words() const override { return cuts_words_; }
    std::size_t cut(std::string_view text, std::size_t& at, Word* words, std::size_t capacity) const override;

  private:
    void read_merges(const JsonSection& model);
    void build_character_table();
    void know_alone();
    void first_symbols(std::string_view word, std::vector<Symbol>& symbols) const;
    bool add_bytes(std::string_view character, std::uint32_t begin, std::vector<Symbol>& symbols) const;
    std::int32_t find_character(std::string_view character) const;  // -1 where absent
    void merge(std::vector<Symbol>& symbols) const;
    void merge_few(std::vector<Symbol>& symbols) const;
    void merge_many(std::vector<Symbol>& symbols) const;

    MergeTable merges_;
    std::vector<std::int32_t> characters_;     // id of each character below U+10000, or -1
    std::vector<std::int32_t> byte_fallback_;  // id of <0x00> ... <0xFF>, or -1; empty without byte fallback
    std::optional<std::int32_t> unknown_;
    Neighbours neighbours_;        // in tokens that are merged
    std::string prefix_, suffix_;  // of characters inside a word, of the last character
    bool fuse_unknown_ = false, ignore_merges_ = false, cuts_words_ = false;
};

}  // namespace temper::tok
