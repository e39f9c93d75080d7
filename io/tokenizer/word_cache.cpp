#include "io/tokenizer/word_cache.h"

#include <algorithm>
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

WordCache::WordCache(std::uint64_t number) : number_(number), short_(short_sets), long_(long_slots) {}

std::uint64_t WordCache::hash_of(std::string_view word) { return std::hash<std::string_view>()(word) | 1; }

bool WordCache::recall_long(std::uint64_t hash, std::string_view word, IdWriter& ids) const {
    const Long& slot = long_[hash % long_slots];
    if (slot.hash != hash || slot.size != word.size() || std::memcmp(arena_.data() + slot.first, word.data(), word.size()) != 0) return false;
    const char* from = arena_.data() + slot.first + slot.size;
    for (std::uint32_t i = 0; i < slot.count; ++i) {
        std::int32_t id;
        std::memcpy(&id, from + i * sizeof id, sizeof id);
        ids.put(id);
    }
    return true;
}

void WordCache::keep(const Key& key, std::string_view word, const std::vector<Symbol>& symbols) {
    if (word.size() > most_bytes) return;
    const auto count = static_cast<std::uint32_t>(symbols.size());
    if (key.high != 0) {
        Short& place = short_[set_of(key)][1];
        place = {key.low, key.high | static_cast<std::uint64_t>(std::min(count, 5u)) << 60, {}};
        for (std::uint32_t i = 0; i < count && i < 4; ++i) place.ids[i] = symbols[i].id;
        if (count <= 4) return;
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
