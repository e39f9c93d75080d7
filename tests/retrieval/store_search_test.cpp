// Search over a store of several categories, with an embedder of words and a reranker of lengths.
#include "retrieval/store_search.h"

#include <gtest/gtest.h>

#include "retrieval/store_collections.h"
#include "retrieval/vector_index.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

// A vector counts letters: texts of the same letters are near.
class LetterEmbedder final : public Embedder {
  public:
    std::int64_t dimensions() const override { return 26; }
    std::string identity() const override { return "letters"; }
    bool normalized() const override { return false; }
    void embed(Span<const std::string> texts, EmbedRole, float* vectors) override {
        std::fill(vectors, vectors + 26 * texts.size(), 0.0f);
        for (std::size_t i = 0; i < texts.size(); ++i)
            for (const char c : texts[i])
                if (c >= 'a' && c <= 'z') vectors[26 * i + static_cast<std::size_t>(c - 'a')] += 1.0f;
    }
    std::vector<TokenPlace> tokens(const std::string&) const override { return {}; }
};

class LengthReranker final : public Reranker {
  public:
    std::vector<float> score(const std::string&, Span<const std::string> texts) override {
        std::vector<float> scores;
        for (const std::string& text : texts) scores.push_back(-static_cast<float>(text.size()));
        asked = texts.size();
        return scores;
    }
    std::size_t asked = 0;
};

void put(const TemporaryDirectory& directory, const std::string& category, const std::vector<std::string>& texts, bool graph = false) {
    Collection collection;
    collection.category = category;
    collection.model = "letters";
    collection.dimensions = 26;
    for (std::size_t i = 0; i < texts.size(); ++i)
        collection.chunks.push_back({category + std::to_string(i), category, static_cast<std::int64_t>(i), texts[i], Json{{"year", 2020 + i}}});
    collection.vectors.resize(texts.size() * 26);
    LetterEmbedder().embed(texts, EmbedRole::document, collection.vectors.data());
    if (graph) collection.graph = VectorIndex(collection.vectors, 26, 1).build_graph();
    std::filesystem::create_directories(directory / ("categories/" + category));
    write_collection(directory / ("categories/" + category + "/collection.h5"), collection);
}

std::vector<std::string> ids(const std::vector<SearchHit>& hits) {
    std::vector<std::string> result;
    for (const SearchHit& hit : hits) result.push_back(hit.chunk->id);
    return result;
}
using Ids = std::vector<std::string>;

TEST(StoreSearch, RanksCategoriesTogether) {
    const TemporaryDirectory directory;
    put(directory, "article", {"aaaa", "aaab", "bbbb"});
    put(directory, "post", {"aab", "cccc", "aaaaaaa"}, true);
    put(directory, "empty", {});
    LetterEmbedder embedder;
    const StoreSearch store(directory.path(), {}, 2);
    EXPECT_EQ(store.chunks(), 6);
    SearchOptions options;
    options.top_k = 4;
    for (const bool graph : {false, true}) {
        options.graph = graph;
        const auto hits = store.search({"aa", "c"}, embedder, options);
        EXPECT_EQ(ids(hits[0]), (Ids{"article0", "post2", "article1", "post0"}));
        EXPECT_FLOAT_EQ(hits[0][0].score, 1.0f);
        EXPECT_EQ(*hits[0][1].category, "post");
        EXPECT_EQ(hits[1][0].chunk->id, "post1");
    }
    options.filters = {"year>=2021", "category=post|article"};
    EXPECT_EQ(ids(store.search({"aa"}, embedder, options)[0]), (Ids{"post2", "article1", "article2", "post1"}));
    const std::vector<std::string> many(12, "aa");
    for (const auto& hits : store.search(many, embedder, options)) EXPECT_EQ(hits.front().chunk->id, "post2");
}

TEST(StoreSearch, CategoriesAndReranking) {
    const TemporaryDirectory directory;
    put(directory, "article", {"aaaa", "aaab", "bbbb"});
    put(directory, "post", {"aab", "cccc", "aaaaaaa"});
    LetterEmbedder embedder;
    LengthReranker reranker;
    SearchOptions options;
    options.top_k = 2;
    options.candidates = 3;
    options.reranker = &reranker;
    const auto hits = StoreSearch(directory.path(), {}, 1).search({"aa"}, embedder, options);
    EXPECT_EQ(hits[0].size(), 2u);
    EXPECT_EQ(reranker.asked, 3u);
    const StoreSearch posts(directory.path(), {"post", "absent"}, 1);
    EXPECT_EQ(ids(posts.search({"aa"}, embedder, options)[0]), (Ids{"post0", "post1"}));  // the two shortest
    EXPECT_TRUE(StoreSearch(directory.path(), {"absent"}, 1).search({"aa"}, embedder, {})[0].empty());
    const StoreSearch one(directory / "categories/post/collection.h5", {}, 1);
    EXPECT_EQ(one.chunks(), 3);
    EXPECT_ERROR(StoreSearch(directory / "categories", {}, 1), ExitCode::missing_input, "no folder categories in it");
}

TEST(StoreSearch, VectorsOfAnotherModelAreRefused) {
    const TemporaryDirectory directory;
    put(directory, "article", {"a"});
    class Other : public Embedder {
      public:
        std::int64_t dimensions() const override { return 26; }
        std::string identity() const override { return "other"; }
        bool normalized() const override { return false; }
        void embed(Span<const std::string>, EmbedRole, float*) override {}
        std::vector<TokenPlace> tokens(const std::string&) const override { return {}; }
    } other;
    EXPECT_ERROR(StoreSearch(directory.path(), {}, 1).search({"a"}, other, {}), ExitCode::usage, "made by another model");
    put(directory, "article", {});  // nothing in it that could be of another model
    EXPECT_TRUE(StoreSearch(directory.path(), {}, 1).search({"a"}, other, {})[0].empty());
}

}  // namespace
}  // namespace temper
