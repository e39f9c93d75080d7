// The embedder and the reranker of a tiny model: the reference's numbers, roles' prompts, and places of tokens.
#include "retrieval/model_embedder.h"

#include <cmath>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "io/jsonl.h"
#include "kernels/error.h"

namespace temper {
namespace {

std::filesystem::path encoders() { return std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens/encoders"; }
Json golden(const char* name) { return Json::parse(read_file(encoders() / name / "golden.json")); }

void expect_rows(const std::vector<float>& got, const Json& rows) {
    std::size_t at = 0;
    for (const Json& row : rows)
        for (const Json& value : row) {
            ASSERT_LT(at, got.size());
            EXPECT_NEAR(got[at++], value.get<float>(), 3e-5f);
        }
    EXPECT_EQ(at, got.size());
}

TEST(ModelEmbedder, VectorsOfBothRoles) {
    ModelEmbedderOptions options;
    options.device = "cpu";
    options.threads = 2;
    const auto embedder = open_model_embedder(encoders() / "bert", options);
    const Json json = golden("bert");
    const auto texts = json["texts"].get<std::vector<std::string>>();
    EXPECT_EQ(embedder->dimensions(), 32);
    EXPECT_TRUE(embedder->normalized());
    std::vector<float> vectors(texts.size() * 32);
    embedder->embed(texts, EmbedRole::document, vectors.data());
    expect_rows(vectors, json["vectors"]);
    embedder->embed(texts, EmbedRole::query, vectors.data());
    expect_rows(vectors, json["prompt_vectors"]);
    options.dimensions = 7;
    EXPECT_NE(open_model_embedder(encoders() / "bert", options)->identity(), embedder->identity());
}

TEST(ModelEmbedder, PlacesOfTokens) {
    const auto embedder = open_model_embedder(encoders() / "bert", {});
    const std::string text = "Hello world, hello";
    const auto places = embedder->tokens(text);
    ASSERT_FALSE(places.empty());
    EXPECT_EQ(places.front().begin, 0);
    EXPECT_EQ(places.back().end, static_cast<std::int64_t>(text.size()));
    for (const auto& place : places) EXPECT_LT(place.begin, place.end);
}

TEST(ModelReranker, Scores) {
    const auto reranker = open_model_reranker(encoders() / "cross_bert", {});
    const Json json = golden("cross_bert");
    for (std::size_t i = 0; i < json["pairs"].size(); ++i) {
        const std::vector<std::string> texts{json["pairs"][i][1].get<std::string>()};
        EXPECT_NEAR(reranker->score(json["pairs"][i][0].get<std::string>(), texts).at(0), json["scores"][i][0].get<float>(), 3e-5f);
    }
    EXPECT_THROW(open_model_reranker(encoders() / "cross_bert_labels", {}), Error);
}

}  // namespace
}  // namespace temper
