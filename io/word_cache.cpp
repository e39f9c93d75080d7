#include "io/word_cache.h"

#include <array>
#include <atomic>
#include <functional>

namespace temper::tok {

std::uint64_t new_cache_number() {
    static std::atomic<std::uint64_t> next{1};
    return next++;
}

WordCache& WordCache::of(std::uint64_t number) {
    thread_local std::array<WordCache, 4> caches;
    WordCache& cache = caches[number % caches.size()];
    if (cache.number_ != number) cache = WordCache(number);
    return cache;
}

WordCache::WordCache(std::uint64_t number) : number_(number), short_(short_slots), long_(long_slots) {}

WordCache::Short WordCache::key_of(std::string_view word, std::size_t readable) {
    Short key{};
    if (readable >= 16) {
        std::memcpy(&key.low, word.data(), 8);
        std::memcpy(&key.high, word.data() + 8, 8);
        const std::size_t size = word.size();
        if (size < 8) {
            key.low &= (std::uint64_t(1) << size * 8) - 1;
            key.high = 0;
        } else {
            key.high &= (std::uint64_t(1) << (size - 8) * 8) - 1;
        }
    } else {
        std::array<char, 16> bytes{};
        std::memcpy(bytes.data(), word.data(), word.size());
        std::memcpy(&key.low, bytes.data(), 8);
        std::memcpy(&key.high, bytes.data() + 8, 8);
    }
    key.high |= static_cast<std::uint64_t>(word.size()) << 56;
    return key;
}

std::size_t WordCache::slot_of(const Short& key) {
    const std::uint64_t mixed = (key.low ^ (key.high * 0x9fb21c651e98df25u)) * 0x9e3779b97f4a7c15u;
    return static_cast<std::size_t>(mixed >> 40) & (short_slots - 1);
}

std::uint64_t WordCache::hash_of(std::string_view word) { return std::hash<std::string_view>()(word) | 1; }

bool WordCache::recall(std::string_view word, std::size_t readable, std::vector<std::int32_t>& ids) const {
    if (word.size() <= 15) {
        const Short key = key_of(word, readable);
        const Short& slot = short_[slot_of(key)];
        if (slot.low == key.low && slot.high == key.high && slot.count <= 3) {
            ids.insert(ids.end(), slot.ids, slot.ids + slot.count);
            return true;
        }
        // A short word of more tokens lies with the long ones.
        if (slot.low != key.low || slot.high != key.high) return false;
    } else if (word.size() > most_bytes) {
        return false;
    }
    const std::uint64_t hash = hash_of(word);
    const Long& slot = long_[hash % long_slots];
    if (slot.hash != hash || slot.size != word.size() || std::memcmp(arena_.data() + slot.first, word.data(), word.size()) != 0) return false;
    const std::size_t before = ids.size();
    ids.resize(before + slot.count);
    if (slot.count > 0) std::memcpy(ids.data() + before, arena_.data() + slot.first + slot.size, slot.count * sizeof(std::int32_t));
    return true;
}

void WordCache::keep(std::string_view word, const std::vector<Symbol>& symbols) {
    if (word.empty() || word.size() > most_bytes) return;
    const auto count = static_cast<std::uint32_t>(symbols.size());
    if (word.size() <= 15) {
        Short key = key_of(word, 0);
        for (std::uint32_t i = 0; i < count && i < 3; ++i) key.ids[i] = symbols[i].id;
        key.count = count;
        short_[slot_of(key)] = key;
        if (count <= 3) return;
    }
    const std::size_t bytes = word.size() + count * sizeof(std::int32_t);
    if (arena_.size() + bytes > arena_limit) {
        arena_.clear();
        long_.assign(long_slots, {});
    }
    const std::uint64_t hash = hash_of(word);
    long_[hash % long_slots] = {hash, static_cast<std::uint32_t>(arena_.size()), static_cast<std::uint32_t>(word.size()), count};
    arena_.insert(arena_.end(), word.begin(), word.end());
    for (const Symbol& symbol : symbols) {
        const auto* id = reinterpret_cast<const char*>(&symbol.id);
        arena_.insert(arena_.end(), id, id + sizeof symbol.id);
    }
}

}  // namespace temper::tok
