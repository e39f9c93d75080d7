// What retrieval asks of a model: vectors of texts, and scores of texts for a query. The pipeline, the index and the search know no more of it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/span.h"

namespace temper {

enum class EmbedRole : std::uint8_t { document, query };  // models with prompts put another one before each

class Embedder {
  public:
    virtual ~Embedder() = default;
    virtual std::int64_t dimensions() const = 0;
    // Names the numbers: a vector is kept only while this stays what it was (weights, pooling, prompts, limits).
    virtual std::string identity() const = 0;
    virtual bool normalized() const = 0;                // vectors of length 1: their product is the cosine
    virtual std::int64_t longest() const { return 0; }  // tokens of a text that reach its vector, special tokens left out; 0: all
    // vectors: row-major (texts, dimensions); overwritten.
    virtual void embed(Span<const std::string> texts, EmbedRole role, float* vectors) = 0;
    // Tokens of a text as the model counts them, its special tokens left out: begins and ends of each in bytes of the text. Chunks are cut by them.
    struct TokenPlace {
        std::int64_t begin = 0, end = 0;
    };
    virtual std::vector<TokenPlace> tokens(const std::string& text) const = 0;
};

class Reranker {
  public:
    virtual ~Reranker() = default;
    virtual std::vector<float> score(const std::string& query, Span<const std::string> texts) = 0;
};

}  // namespace temper
