// Texts cut into chunks of so many tokens that overlap, at the best places that there are.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "retrieval/collection.h"
#include "retrieval/document.h"
#include "retrieval/embedder.h"

namespace temper {

struct ChunkSettings {
    std::int64_t chunk_tokens = 256;   // the most of a chunk, as the model counts it alone, special tokens left out
    std::int64_t overlap_tokens = 50;  // of a chunk and the one before; at most half of chunk_tokens
};

struct ChunkRange {
    std::size_t begin = 0, end = 0;  // bytes of the text
    std::size_t fresh = 0;           // the first byte that no earlier chunk has: the end of the one before
};

using CountTokens = std::function<std::vector<Embedder::TokenPlace>(const std::string&)>;

// Ranges in order; together they cover every byte. A chunk ends at the last section that leaves it at least half full, else at the last such
// paragraph, sentence, word or, within a word, character. The next one begins `overlap_tokens` before that end, or up to half of them later where a
// sentence begins there; where a section ends there is no overlap. Empty for a text of white space.
std::vector<ChunkRange> chunk_ranges(const std::string& text, TextForm form, const ChunkSettings& settings, const CountTokens& tokens);

// The document's chunks with its metadata; Markdown's heading path stands under "heading". Their texts are the ranges without surrounding white space.
std::vector<Chunk> chunk_document(const Document& document, const ChunkSettings& settings, const CountTokens& tokens);

}  // namespace temper
