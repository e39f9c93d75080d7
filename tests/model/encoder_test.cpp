// Tiny encoders of every family against sentence-transformers: token ids exactly, vectors and scores in float32, and in bfloat16 by their cosine.
#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "kernels/error.h"
#include "model/cross_encoder.h"
#include "model/embedding_model.h"
#include "model/model_passes.h"
#include "tests/support/golden.h"

namespace temper {
namespace {

std::filesystem::path encoders() { return std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens/encoders"; }

std::vector<std::string> names(bool cross) {
    std::vector<std::string> result;
    for (const auto& entry : std::filesystem::directory_iterator(encoders()))
        if ((entry.path().filename().string().rfind("cross_", 0) == 0) == cross) result.push_back(entry.path().filename().string());
    std::sort(result.begin(), result.end());
    return result;
}

struct Encoded {
    explicit Encoded(const std::string& name) : directory(encoders() / name), json(Json::parse(read_file(directory / "golden.json"))) {}

    std::vector<float> numbers(const Json& rows) const {
        std::vector<float> values;
        for (const Json& row : rows)
            for (const Json& value : row) values.push_back(value.get<float>());
        return values;
    }
    void expect(const std::vector<float>& got, const Json& rows, const char* kind, const std::string& what) const {
        const std::vector<float> expected = numbers(rows);
        ASSERT_EQ(got.size(), expected.size()) << what;
        const double absolute = json["tol"][kind]["atol"], relative = json["tol"][kind]["rtol"];
        test::expect_close(got.data(), expected.data(), got.size(), absolute, relative, what);
    }

    std::filesystem::path directory;
    Json json;
};

std::vector<float> embed(const Encoded& golden, EmbeddingModel::Options options, const std::string& prompt_name = "", std::int64_t batch_tokens = 0,
                         int threads = 2) {
    Stream stream(threads);
    const EmbeddingModel model(stream, golden.directory, options);
    TokenRows rows;
    const std::string prompt = model.prompt(prompt_name);
    for (const Json& text : golden.json["texts"]) model.texts().add(prompt + text.get<std::string>(), rows);
    std::vector<float> vectors(rows.size() * static_cast<std::size_t>(model.dimensions()));
    ModelPasses<EmbeddingModel>(model, stream, batch_tokens).run_together(rows, vectors.data());
    return vectors;
}

class EncoderGolden : public testing::TestWithParam<std::string> {};

TEST_P(EncoderGolden, TokenIdsAreTheReferences) {
    const Encoded golden(GetParam());
    Stream stream(1);
    const EmbeddingModel model(stream, golden.directory, {});
    EXPECT_EQ(model.texts().limit(), golden.json["limit"].get<std::int64_t>());
    for (std::size_t i = 0; i < golden.json["texts"].size(); ++i) {
        TokenRows rows;
        model.texts().add(golden.json["texts"][i].get<std::string>(), rows);
        EXPECT_EQ(rows.ids, golden.json["ids"][i].get<std::vector<std::int32_t>>()) << golden.json["texts"][i];
    }
}

TEST_P(EncoderGolden, VectorsInFloat32) {
    const Encoded golden(GetParam());
    golden.expect(embed(golden, {}), golden.json["vectors"], "vectors", "vectors");
    golden.expect(embed(golden, {}, "query"), golden.json["prompt_vectors"], "vectors", "vectors behind a prompt");
    EmbeddingModel::Options shorter;
    shorter.dimensions = 7;
    golden.expect(embed(golden, shorter), golden.json["short_vectors"], "vectors", "seven dimensions");
    shorter.normalize = EmbeddingModel::Normalize::yes;
    golden.expect(embed(golden, shorter), golden.json["short_normalized_vectors"], "vectors", "seven dimensions of length 1");
}

// Pooled alone: a copy of the model without what follows the pooling.
TEST_P(EncoderGolden, EveryPooling) {
    const Encoded golden(GetParam());
    Stream stream(2);
    const EmbeddingModel whole(stream, golden.directory, {});
    if (!whole.settings().dense.empty()) GTEST_SKIP() << "the dense layer takes one pooling";
    for (const auto& [mode, expected] : golden.json["poolings"].items()) {
        EmbeddingModel::Options options;
        options.pooling = parse_pooling(mode, "golden");
        options.normalize = EmbeddingModel::Normalize::no;
        golden.expect(embed(golden, options), expected, "vectors", mode);
    }
}

TEST_P(EncoderGolden, VectorsInBfloat16) {
    const Encoded golden(GetParam());
    EmbeddingModel::Options options;
    options.dtype = DType::bf16;
    const std::vector<float> got = embed(golden, options), expected = golden.numbers(golden.json["vectors"]);
    ASSERT_EQ(got.size(), expected.size());
    const std::size_t rows = golden.json["texts"].size(), width = got.size() / rows;
    for (std::size_t row = 0; row < rows; ++row) {
        double product = 0.0, a = 0.0, b = 0.0;
        for (std::size_t i = row * width; i < (row + 1) * width; ++i) {
            product += static_cast<double>(got[i]) * static_cast<double>(expected[i]);
            a += static_cast<double>(got[i]) * static_cast<double>(got[i]);
            b += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
        }
        EXPECT_GE(product / std::sqrt(a * b), golden.json["tol"]["bfloat16_cosine"].get<double>()) << "row " << row;
    }
}

// Row law: batches and threads change no bit.
TEST_P(EncoderGolden, BatchesAndThreadsChangeNoBit) {
    const Encoded golden(GetParam());
    for (const DType dtype : {DType::f32, DType::bf16}) {
        EmbeddingModel::Options options;
        options.dtype = dtype;
        const std::vector<float> expected = embed(golden, options);
        for (const auto& [batch, threads] : {std::pair<std::int64_t, int>{1, 1}, {40, 3}, {4096, 1}}) {
            const std::vector<float> got = embed(golden, options, "", batch, threads);
            EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)), 0) << name_of(dtype) << " " << batch << " " << threads;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Models, EncoderGolden, testing::ValuesIn(names(false)), [](const auto& name) { return name.param; });

class CrossEncoderGolden : public testing::TestWithParam<std::string> {};

TEST_P(CrossEncoderGolden, PairsAndScores) {
    const Encoded golden(GetParam());
    Stream stream(2);
    const CrossEncoder model(stream, golden.directory, {});
    EXPECT_EQ(model.texts().limit(), golden.json["limit"].get<std::int64_t>());
    TokenRows rows;
    for (const Json& pair : golden.json["pairs"]) model.texts().add_pair(pair[0].get<std::string>(), pair[1].get<std::string>(), rows);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto begin = rows.begin(i), end = rows.ends[i];
        const std::vector<std::int32_t> ids(rows.ids.begin() + begin, rows.ids.begin() + end);
        EXPECT_EQ(ids, golden.json["ids"][i].get<std::vector<std::int32_t>>()) << golden.json["pairs"][i];
        if (rows.types.empty()) continue;
        const std::vector<std::int32_t> types(rows.types.begin() + begin, rows.types.begin() + end);
        EXPECT_EQ(types, golden.json["types"][i].get<std::vector<std::int32_t>>()) << golden.json["pairs"][i];
    }
    std::vector<float> scores(rows.size() * static_cast<std::size_t>(model.labels())), alone(scores.size());
    ModelPasses<CrossEncoder>(model, stream, 0).run_together(rows, scores.data());
    golden.expect(scores, golden.json["scores"], "scores", "scores");
    ModelPasses<CrossEncoder>(model, stream, 1).run(rows, alone.data());
    EXPECT_EQ(std::memcmp(scores.data(), alone.data(), scores.size() * sizeof(float)), 0);
}

INSTANTIATE_TEST_SUITE_P(Models, CrossEncoderGolden, testing::ValuesIn(names(true)), [](const auto& name) { return name.param; });

// What changes numbers and is not computed is refused by its name.
TEST(EncoderConfig, RefusesByName) {
    const Json good = Json::parse(read_file(encoders() / "bert/config.json"));
    EXPECT_NO_THROW(parse_encoder_config(good, "config.json"));
    const auto refused = [&](const char* key, const Json& value, const std::string& words) {
        Json config = good;
        config[key] = value;
        try {
            parse_encoder_config(config, "config.json");
            ADD_FAILURE() << key << " is taken";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::bad_data);
            EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
        }
    };
    refused("model_type", "t5", "'t5'");
    refused("hidden_act", "silu", "hidden_act");
    refused("position_embedding_type", "relative_key", "position_embedding_type");
    refused("is_decoder", true, "is_decoder");
    refused("num_attention_heads", 5, "5 heads");
    refused("layer_norm_eps", -1.0, "layer_norm_eps");
    Json mpnet = Json::parse(read_file(encoders() / "mpnet/config.json"));
    mpnet["relative_attention_num_buckets"] = 64;
    EXPECT_THROW(parse_encoder_config(mpnet, "config.json"), Error);
}

TEST(EncoderConfig, BucketsOfDistancesAreTheReferences) {
    const Json golden = Encoded("mpnet").json["relative_buckets"];
    std::int64_t distance = golden["first"];
    ASSERT_EQ(golden["of"].size(), 401u);
    for (const Json& bucket : golden["of"]) {
        EXPECT_EQ(relative_bucket(distance), bucket.get<std::int64_t>()) << distance;
        ++distance;
    }
    EXPECT_EQ(relative_bucket(100000), relative_bucket(relative_longest));
    EXPECT_EQ(relative_bucket(-100000), relative_bucket(-relative_longest));
}

}  // namespace
}  // namespace temper
