#include "retrieval/near_duplicates.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "io/unicode.h"

namespace temper {
namespace {

constexpr std::size_t hashes = 128;
using Signature = std::array<std::uint32_t, hashes>;

std::uint64_t mix(std::uint64_t x) {  // splitmix64
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t hash) {
    for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;  // FNV-1a
    return hash;
}
constexpr std::uint64_t hash_seed = 0xcbf29ce484222325u;

bool is_unspaced_word(char32_t c) {
    return (c >= 0x0e00 && c < 0x1000) || (c >= 0x2e80 && c < 0xa4d0) || (c >= 0xf900 && c < 0xfb00) || c >= 0x20000;
}

std::vector<std::uint64_t> word_hashes(std::string_view text) {
    std::vector<std::uint64_t> words;
    std::uint64_t word = hash_seed;
    const auto end_word = [&] {
        if (word != hash_seed) words.push_back(word);
        word = hash_seed;
    };
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = tok::character_size(text[at]);
        const auto byte = static_cast<unsigned char>(text[at]);
        if (byte < 0x80) {
            const bool upper = byte >= 'A' && byte <= 'Z',
                       letter = upper || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '_';
            if (letter) word = (word ^ (upper ? byte + 32u : byte)) * 0x100000001b3u;
            else end_word();
        } else {
            const char32_t c = tok::decode_character(text, at);
            if (is_unspaced_word(c)) end_word();
            if (tok::is_word(c)) word = hash_bytes(tok::to_lowercase(c), word);
            if (is_unspaced_word(c) || !tok::is_word(c)) end_word();
        }
        at += size;
    }
    end_word();
    return words;
}

Signature signature_of(const std::vector<std::uint64_t>& shingles) {
    static const auto factors = [] {
        std::array<std::uint32_t, 2 * hashes> made{};
        for (std::size_t i = 0; i < made.size(); ++i) made[i] = static_cast<std::uint32_t>(mix(i)) | (i < hashes ? 1u : 0u);
        return made;
    }();
    Signature signature;
    signature.fill(std::numeric_limits<std::uint32_t>::max());
    for (const std::uint64_t shingle : shingles) {
        const auto x = static_cast<std::uint32_t>(shingle >> 32 ^ shingle);
        for (std::size_t k = 0; k < hashes; ++k) {
            std::uint32_t value = (x ^ factors[hashes + k]) * factors[k];
            value ^= value >> 15;
            signature[k] = std::min(signature[k], value * 0x2c1b3c6du);
        }
    }
    return signature;
}

// A text without shingles is near to nothing.
bool has_words(const Signature& signature) {
    return std::any_of(signature.begin(), signature.end(), [](std::uint32_t least) { return least != std::numeric_limits<std::uint32_t>::max(); });
}

double agreement(const Signature& a, const Signature& b) {
    std::size_t same = 0;
    for (std::size_t k = 0; k < hashes; ++k) same += a[k] == b[k] ? 1 : 0;
    return static_cast<double>(same) / hashes;
}

// Rows of a band: as many as leave a pair at the threshold unseen at most once in a thousand.
std::size_t rows_of_band(double threshold) {
    std::size_t best = 1;
    for (std::size_t rows = 1; rows <= 16; ++rows) {
        const double missed = std::pow(1.0 - std::pow(threshold, static_cast<double>(rows)), static_cast<double>(hashes / rows));
        if (missed <= 1e-3) best = rows;
    }
    return best;
}

class NearIndex {
  public:
    NearIndex(const std::vector<std::string_view>& texts, const DuplicateSettings& settings)
        : texts_(texts), settings_(settings), rows_(rows_of_band(settings.threshold)), buckets_(hashes / rows_) {}

    // The earlier document that this one is nearest to, at or over the threshold; else it is kept for those that follow.
    bool find(std::size_t document, const Signature& signature, Duplicate& duplicate) {
        std::vector<std::size_t> candidates;
        for (std::size_t band = 0; band < buckets_.size(); ++band) {
            const auto bucket = buckets_[band].find(key(signature, band));
            if (bucket != buckets_[band].end()) candidates.insert(candidates.end(), bucket->second.begin(), bucket->second.end());
        }
        std::sort(candidates.begin(), candidates.end());
        candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
        std::vector<std::uint64_t> own;
        duplicate.similarity = 0;
        for (const std::size_t candidate : candidates) {
            // Five standard deviations of the estimate below the threshold decide without the shingles.
            if (agreement(signature, signatures_[candidate]) < settings_.threshold - 0.22) continue;
            if (own.empty()) own = shingles_of(texts_[document], settings_.shingle_words);
            const double similarity = jaccard(own, shingles_of(texts_[kept_[candidate]], settings_.shingle_words));
            if (similarity >= settings_.threshold && similarity > duplicate.similarity) duplicate = {document, kept_[candidate], similarity};
        }
        if (duplicate.similarity > 0) return true;
        for (std::size_t band = 0; band < buckets_.size(); ++band) buckets_[band][key(signature, band)].push_back(kept_.size());
        kept_.push_back(document);
        signatures_.push_back(signature);
        return false;
    }

  private:
    std::uint64_t key(const Signature& signature, std::size_t band) const {
        std::uint64_t hash = band;
        for (std::size_t row = 0; row < rows_; ++row) hash = mix(hash ^ signature[band * rows_ + row]);
        return hash;
    }

    const std::vector<std::string_view>& texts_;
    DuplicateSettings settings_;
    std::size_t rows_;
    std::vector<std::unordered_map<std::uint64_t, std::vector<std::size_t>>> buckets_;  // a band: places in kept_
    std::vector<std::size_t> kept_;
    std::vector<Signature> signatures_;
};

}  // namespace

std::vector<std::uint64_t> shingles_of(std::string_view text, std::int64_t words) {
    const std::vector<std::uint64_t> hashed = word_hashes(text);
    const std::size_t length = std::min(static_cast<std::size_t>(words), hashed.size());
    std::vector<std::uint64_t> shingles;
    for (std::size_t i = 0; length > 0 && i + length <= hashed.size(); ++i) {
        std::uint64_t hash = hash_seed;
        for (std::size_t j = 0; j < length; ++j) hash = mix(hash ^ hashed[i + j]);
        shingles.push_back(hash);
    }
    std::sort(shingles.begin(), shingles.end());
    shingles.erase(std::unique(shingles.begin(), shingles.end()), shingles.end());
    return shingles;
}

double jaccard(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
    std::size_t both = 0;
    for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
        both += a[i] == b[j] ? 1 : 0;
        const bool forward = a[i] <= b[j];
        if (b[j] <= a[i]) ++j;
        if (forward) ++i;
    }
    const std::size_t all = a.size() + b.size() - both;
    return all == 0 ? 1.0 : static_cast<double>(both) / static_cast<double>(all);
}

std::vector<Duplicate> find_duplicates(const std::vector<std::string_view>& texts, const DuplicateSettings& settings) {
    std::vector<Signature> signatures(settings.near ? texts.size() : 0);
    const auto count = static_cast<std::int64_t>(signatures.size());
#pragma omp parallel for schedule(dynamic, 16) if (count > 64)
    for (std::int64_t i = 0; i < count; ++i) {
        const auto at = static_cast<std::size_t>(i);
        signatures[at] = signature_of(shingles_of(texts[at], settings.shingle_words));
    }
    std::vector<Duplicate> duplicates;
    std::unordered_map<std::string_view, std::size_t> same;  // text -> the first document that has it
    std::unordered_map<std::size_t, std::size_t> gone;       // near-duplicate -> its place in duplicates
    NearIndex index(texts, settings);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const auto [first, is_new] = same.emplace(texts[i], i);
        Duplicate duplicate{i, first->second, 1.0};
        if (!is_new) {
            // The equal one may have gone itself: then what it is near to is what this one is near to.
            const auto earlier = gone.find(duplicate.of);
            if (earlier != gone.end()) duplicate = {i, duplicates[earlier->second].of, duplicates[earlier->second].similarity};
            duplicates.push_back(duplicate);
        } else if (settings.near && has_words(signatures[i]) && index.find(i, signatures[i], duplicate)) {
            gone.emplace(i, duplicates.size());
            duplicates.push_back(duplicate);
        }
    }
    return duplicates;
}

}  // namespace temper
