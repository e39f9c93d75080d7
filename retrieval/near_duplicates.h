// Documents that say what an earlier one says: the same text, or nearly.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/span.h"

namespace temper {

struct DuplicateSettings {
    bool near = true;
    double threshold = 0.8;  // Jaccard similarity of the sets of shingles
    std::int64_t shingle_words = 5;
};

struct Duplicate {
    std::size_t document = 0, of = 0;  // of < document, and no duplicate itself
    double similarity = 1.0;           // 1: the same text
};

// In order of `document`. The first of alike texts stays, so the result depends on the texts and their order alone. MinHash signatures find the
// candidates (a pair at the threshold is missed once in a thousand); what decides, and is listed, is the similarity of their shingles themselves.
std::vector<Duplicate> find_duplicates(const std::vector<std::string_view>& texts, const DuplicateSettings& settings);

// Hashes of the shingles of a text, rising, each once: its words in lower case, so many at a time; fewer words are one shingle. Each character of
// a script without spaces is a word.
std::vector<std::uint64_t> shingles_of(std::string_view text, std::int64_t words);
double jaccard(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b);

}  // namespace temper
