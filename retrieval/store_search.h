// Search over the collections of a store: each is searched for itself, the best of all are ranked together, and on request scored again by a model
// that reads the query and the chunk as one.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "retrieval/collection.h"
#include "retrieval/embedder.h"
#include "retrieval/filter.h"

namespace temper {

struct SearchHit {
    const std::string* category = nullptr;
    const Chunk* chunk = nullptr;
    float score = 0;                // cosine with the query
    std::optional<float> reranked;  // the reranker's
};

struct SearchOptions {
    std::int64_t top_k = 10;
    std::vector<std::string> filters;
    bool graph = false;  // by the saved graph, where there is one: nearly all of the best, fast once it is loaded
    Reranker* reranker = nullptr;
    std::int64_t candidates = 50;  // hits that are scored again; at least top_k
};

class StoreSearch {
  public:
    // Reads the collections (store_collections.h) and holds them.
    StoreSearch(const std::filesystem::path& store, const std::vector<std::string>& categories, int threads);
    ~StoreSearch();
    StoreSearch(StoreSearch&&) noexcept;

    std::int64_t chunks() const;
    // One list a query, best first; equal scores by category and row. usage when the vectors are not of this embedder.
    std::vector<std::vector<SearchHit>> search(const std::vector<std::string>& queries, Embedder& embedder, const SearchOptions& options) const;

  private:
    struct Shelf;  // a collection and its index
    std::vector<std::unique_ptr<Shelf>> shelves_;
};

}  // namespace temper
