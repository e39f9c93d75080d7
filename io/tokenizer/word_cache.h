// Words that a thread has met and their tokens, for the model it used last in each of a few places. Bounded: a word that needs a place
// takes it from another.
#pragma once
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "io/tokenizer/token_model.h"

namespace temper::tok {

// A number for each model that words are remembered of.
std::uint64_t new_cache_number();

// Ids on their way into a vector, so many at a time.
class IdWriter {
  public:
    explicit IdWriter(std::vector<std::int32_t>& ids) : ids_(ids) {}
    void put(std::int32_t id) {
        need_room(1);
        buffer_[count_++] = id;
    }
    void put_up_to_four(const std::int32_t* four, std::size_t count) {
        need_room(4);
        std::memcpy(buffer_.data() + count_, four, 4 * sizeof(std::int32_t));
        count_ += count;
    }
    void flush() {
        ids_.insert(ids_.end(), buffer_.data(), buffer_.data() + count_);
        count_ = 0;
    }

  private:
    void need_room(std::size_t ids) {
        if (count_ + ids > buffer_.size()) flush();
    }
    std::vector<std::int32_t>& ids_;
    std::array<std::int32_t, 512> buffer_;
    std::size_t count_ = 0;
};

class WordCache {
  public:
    static WordCache& of(std::uint64_t number);
    WordCache() = default;
    explicit WordCache(std::uint64_t number);

    // What a word is looked for by: up to 15 bytes of it and their number, or the hash of a longer one.
    struct Key {
        std::uint64_t low, high;
    };
    // `readable`: bytes from the word's first that may be read. The word is not empty.
    static Key key_of(std::string_view word, std::size_t readable);
    // Brings near what recall will read.
    void expect(const Key& key) const {
        __builtin_prefetch(key.high != 0 ? static_cast<const void*>(&short_[set_of(key)]) : &long_[key.low % long_slots]);
    }
    // Writes the word's ids; false where it is not known.
    bool recall(const Key& key, std::string_view word, IdWriter& ids) {
        if (key.high == 0) return recall_long(key.low, word, ids);
        Set& set = short_[set_of(key)];
        if (!set[0].is(key)) {
            if (!set[1].is(key)) return false;
            std::swap(set[0], set[1]);  // what is met again outlives what is met once
        }
        const std::size_t count = set[0].count();
        if (count > 4) return recall_long(hash_of(word), word, ids);  // lies with the long ones
        ids.put_up_to_four(set[0].ids, count);
        return true;
    }
    void keep(const Key& key, std::string_view word, const std::vector<Symbol>& symbols);

  private:
    // A word of up to 15 bytes and 4 tokens: its bytes, zero-filled, in the last one their number (low half) and that of the tokens.
    struct Short {
        std::uint64_t low, high;
        std::int32_t ids[4];
        bool is(const Key& key) const { return low == key.low && (high ^ key.high) << 4 == 0; }
        std::size_t count() const { return static_cast<std::size_t>(high >> 60); }
    };
    struct alignas(64) Set : std::array<Short, 2> {};
    struct Long {
        std::uint64_t hash;
        std::uint32_t first, size, count;  // bytes of arena_, then ids
    };
    static constexpr std::size_t short_sets = std::size_t(1) << 16, long_slots = std::size_t(1) << 15, most_bytes = 256;
    static constexpr std::size_t arena_limit = std::size_t(8) << 20;

    static std::size_t set_of(const Key& key) {
        const std::uint64_t mixed = (key.low ^ (key.high * 0x9fb21c651e98df25u)) * 0x9e3779b97f4a7c15u;
        return static_cast<std::size_t>(mixed >> 40) & (short_sets - 1);
    }
    static std::uint64_t hash_of(std::string_view word);
    bool recall_long(std::uint64_t hash, std::string_view word, IdWriter& ids) const;

    std::uint64_t number_ = 0;
    std::vector<Set> short_;
    std::vector<Long> long_;
    std::vector<char> arena_;
};

inline WordCache::Key WordCache::key_of(std::string_view word, std::size_t readable) {
    const std::size_t size = word.size();
    if (size > 15) return {hash_of(word), 0};
    Key key{0, 0};
    if (readable >= 16) {
        std::memcpy(&key.low, word.data(), 8);
        std::memcpy(&key.high, word.data() + 8, 8);
        if (size < 8) {
            key.low &= (std::uint64_t(1) << size * 8) - 1;
            key.high = 0;
        } else {
            key.high &= (std::uint64_t(1) << (size - 8) * 8) - 1;
        }
    } else {
        std::array<char, 16> bytes{};
        std::memcpy(bytes.data(), word.data(), size);
        std::memcpy(&key.low, bytes.data(), 8);
        std::memcpy(&key.high, bytes.data() + 8, 8);
    }
    key.high |= static_cast<std::uint64_t>(size) << 56;
    return key;
}

}  // namespace temper::tok
