// Words that a thread has met and their tokens, for the model it used last in each of a few places. Bounded: a word that needs a place
// takes it from another.
#pragma once
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "io/token_model.h"

namespace temper::tok {

// A number for each model that words are remembered of.
std::uint64_t new_cache_number();

class WordCache {
  public:
    static WordCache& of(std::uint64_t number);
    WordCache() = default;
    explicit WordCache(std::uint64_t number);

    // Appends the word's ids; false where it is not known. `readable`: bytes from the word's first that may be read.
    bool recall(std::string_view word, std::size_t readable, std::vector<std::int32_t>& ids) const;
    void keep(std::string_view word, const std::vector<Symbol>& symbols);

  private:
    // Up to 15 bytes and 3 tokens lie in the slot itself.
    struct Short {
        std::uint64_t low, high;  // the word, zero-filled, its length in the last byte
        std::int32_t ids[3];
        std::uint32_t count;
    };
    struct Long {
        std::uint64_t hash;
        std::uint32_t first, size, count;  // bytes of arena_, then ids
    };
    static constexpr std::size_t short_slots = std::size_t(1) << 16, long_slots = std::size_t(1) << 15, most_bytes = 256;
    static constexpr std::size_t arena_limit = std::size_t(8) << 20;

    static Short key_of(std::string_view word, std::size_t readable);
    static std::size_t slot_of(const Short& key);
    static std::uint64_t hash_of(std::string_view word);

    std::uint64_t number_ = 0;
    std::vector<Short> short_;
    std::vector<Long> long_;
    std::vector<char> arena_;
};

}  // namespace temper::tok
