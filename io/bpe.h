// Byte-pair encoding: a word becomes symbols, and the pair of neighbours with the lowest rank is joined until no pair is in the merges.
// [Sennrich, Haddow, Birch 2016], with the reference's unknown token and byte fallback.
#pragma once
#include <optional>
#include <string>

#include "io/token_model.h"

namespace temper::tok {

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
        const std::uint64_t wanted = key(left, right);
        for (std::size_t at = slot(wanted);; at = (at + 1) & mask_) {
            if (slots_[at].key == wanted) return &slots_[at].merge;
            if (slots_[at].key == empty) return nullptr;
        }
    }

  private:
    struct Slot {
        std::uint64_t key;
        Merge merge;
    };
    static constexpr std::uint64_t empty = ~std::uint64_t(0);
    static std::uint64_t key(std::int32_t left, std::int32_t right) {
        return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
    }
    std::size_t slot(std::uint64_t of) const { return static_cast<std::size_t>((of * 0x9e3779b97f4a7c15u) >> 20) & mask_; }
    std::vector<Slot> slots_ = {{empty, {0, 0}}};
    std::size_t mask_ = 0;
};

class Bpe : public TokenModel {
  public:
    explicit Bpe(const JsonSection& model);

    // A character that is neither in the vocabulary nor covered by bytes or an unknown token gives no symbol, as in the reference.
    void encode(std::string_view word, bool plain, std::vector<Symbol>& symbols) const override;
    bool knows_words() const override { return parts_at_marks_; }
    std::size_t cut(std::string_view text, std::size_t& at, Word* words, std::size_t capacity) const override;

  private:
    void read_merges(const JsonSection& model);
    void build_character_table();
    void find_parting_places();
    void first_symbols(std::string_view word, std::vector<Symbol>& symbols) const;
    bool add_bytes(std::string_view character, std::uint32_t begin, std::vector<Symbol>& symbols) const;
    std::int32_t find_character(std::string_view character) const;  // -1 where absent
    void merge(std::vector<Symbol>& symbols) const;
    void merge_few(std::vector<Symbol>& symbols) const;
    void merge_many(std::vector<Symbol>& symbols) const;

    MergeTable merges_;
    std::vector<std::int32_t> characters_;     // id of each character below U+0250, or -1
    std::vector<std::int32_t> byte_fallback_;  // id of <0x00> ... <0xFF>, or -1; empty without byte fallback
    std::optional<std::int32_t> unknown_;
    std::vector<bool> joined_;     // by two characters of ASCII: whether a token holds them side by side, or may
    std::string prefix_, suffix_;  // of characters inside a word, of the last character
    bool fuse_unknown_ = false, ignore_merges_ = false, parts_at_marks_ = false;
};

}  // namespace temper::tok
