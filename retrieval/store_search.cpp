#include "retrieval/store_search.h"

#include <algorithm>

#include "kernels/error.h"
#include "retrieval/store_collections.h"
#include "retrieval/vector_index.h"

namespace temper {
namespace {

// The int8 copy of the vectors costs as much as some queries; a graph, as many more.
constexpr std::size_t queries_worth_a_copy = 10;

void rerank(const std::string& query, Reranker& reranker, std::vector<SearchHit>& hits) {
    std::vector<std::string> texts;
    for (const SearchHit& hit : hits) texts.push_back(hit.chunk->text);
    const std::vector<float> scores = reranker.score(query, texts);
    for (std::size_t i = 0; i < hits.size(); ++i) hits[i].reranked = scores[i];
    std::stable_sort(hits.begin(), hits.end(), [](const SearchHit& a, const SearchHit& b) { return *a.reranked > *b.reranked; });
}

}  // namespace

struct StoreSearch::Shelf {
    Shelf(std::string path, Collection read, int threads)
        : file(std::move(path)), collection(std::move(read)), index(collection.vectors, collection.dimensions, threads) {}
    std::string file;
    Collection collection;
    VectorIndex index;
};

StoreSearch::StoreSearch(const std::filesystem::path& store, const std::vector<std::string>& categories, int threads) {
    for (const auto& [category, file] : store_collections(store, categories)) {
        Collection collection = read_collection(file);
        if (!collection.chunks.empty()) shelves_.push_back(std::make_unique<Shelf>(file.string(), std::move(collection), threads));
    }
}
StoreSearch::~StoreSearch() = default;
StoreSearch::StoreSearch(StoreSearch&&) noexcept = default;

std::int64_t StoreSearch::chunks() const {
    std::int64_t count = 0;
    for (const auto& shelf : shelves_) count += shelf->index.rows();
    return count;
}

std::vector<std::vector<SearchHit>> StoreSearch::search(const std::vector<std::string>& queries, Embedder& embedder,
                                                        const SearchOptions& options) const {
    const std::string identity = embedder.identity();
    for (const auto& shelf : shelves_)
        if (shelf->collection.model != identity)
            throw_error(ExitCode::usage,
                        "{}: its vectors were made by another model or other settings ({}, this one is {}); search with the model of temper features",
                        shelf->file, shelf->collection.model.substr(0, 12), identity.substr(0, 12));
    std::vector<float> vectors(queries.size() * static_cast<std::size_t>(embedder.dimensions()));
    embedder.embed(queries, EmbedRole::query, vectors.data());
    const Filter filter(options.filters);
    VectorIndex::Options wanted;
    wanted.top_k = options.reranker != nullptr ? std::max(options.top_k, options.candidates) : options.top_k;
    wanted.exact = !options.graph;

    std::vector<std::vector<SearchHit>> results(queries.size());
    for (const auto& shelf : shelves_) {
        const Collection& collection = shelf->collection;
        if (options.graph && !collection.graph.empty() && !shelf->index.has_graph()) shelf->index.use_graph(collection.graph, shelf->file);
        else if (queries.size() >= queries_worth_a_copy) shelf->index.prepare();
        std::vector<std::uint8_t> keep;
        if (!filter.empty()) keep = filter.rows(collection);
        wanted.keep = filter.empty() ? nullptr : &keep;
        const auto lists = shelf->index.search(vectors, wanted);
        for (std::size_t q = 0; q < queries.size(); ++q)
            for (const Hit& hit : lists[q])
                results[q].push_back({&collection.category, &collection.chunks[static_cast<std::size_t>(hit.row)], hit.score, {}});
    }
    const auto cut = [](std::vector<SearchHit>& hits, std::int64_t count) { hits.resize(std::min(hits.size(), static_cast<std::size_t>(count))); };
    for (std::size_t q = 0; q < queries.size(); ++q) {
        std::vector<SearchHit>& hits = results[q];
        std::stable_sort(hits.begin(), hits.end(), [](const SearchHit& a, const SearchHit& b) { return a.score > b.score; });
        cut(hits, wanted.top_k);
        if (options.reranker != nullptr) rerank(queries[q], *options.reranker, hits);
        cut(hits, options.top_k);
    }
    return results;
}

}  // namespace temper
