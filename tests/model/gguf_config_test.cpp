// What a model is, read from GGUF metadata: the RoPE scaling that converters hide in a tensor, several end tokens, and tensors that
// belong to nothing.
#include <gtest/gtest.h>

#include "io/durable.h"
#include "io/tensors/gguf.h"
#include "kernels/error.h"
#include "model/model_files.h"
#include "model/rope.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

const std::string folder = TEMPER_SOURCE_DIR "/tests/goldens/gguf/";

TEST(GgufConfig, ReadsTheScalingOfLlama3FromItsDivisors) {
    const ModelFiles files(folder + "llama32.gguf");
    const ModelConfig& config = files.config();
    EXPECT_EQ(config.rope_scaling.kind, RopeScaling::Kind::llama3);
    EXPECT_EQ(config.rope_scaling.factor, 32.0);
    EXPECT_EQ(config.rope_scaling.original_max_position_embeddings, 8192);
    EXPECT_EQ(config.eos_ids, (std::vector<std::int32_t>{3, 5}));
    ModelConfig plain = config;
    plain.rope_scaling = {};
    std::vector<float> divisors(16);
    const GgufFile file(folder + "llama32.gguf");
    file.read("rope_freqs.weight", View(divisors.data(), DType::f32, {16}));
    const std::vector<float> before = rope_inverse_frequencies(plain, 0), after = rope_inverse_frequencies(config, 0);
    for (std::size_t i = 0; i < divisors.size(); ++i) EXPECT_NEAR(before[i] / divisors[i], after[i], 1e-5f * after[i]) << i;
}

void expect_refused(const std::string& path, const std::string& message) {
    try {
        const ModelFiles files(path);
        FAIL() << path;
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::bad_data);
        EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    }
}

TEST(GgufConfig, RefusesAScalingOfNoReleasedModel) { expect_refused(folder + "llama_other.gguf", "rope_freqs.weight is not"); }

TEST(GgufConfig, RefusesATensorThatBelongsToNothing) {
    const TemporaryDirectory directory;
    std::string bytes = read_file(folder + "llama32.gguf");
    const std::string known = "rope_freqs.weight";
    bytes.replace(bytes.find(known), known.size(), "blk.0.attn_r.bias");
    expect_refused(directory.put("model.gguf", bytes).string(), "tensor blk.0.attn_r.bias belongs to no layer");
}

// Files of the other families, written by the gguf package as llama.cpp's converter does, hold the model of the Hugging Face directory.
class GgufModel : public ::testing::TestWithParam<std::string> {};

TEST_P(GgufModel, HasTheConfigurationOfTheDirectory) {
    const ModelFiles gguf(folder + "models/" + GetParam() + ".gguf"), directory(TEMPER_SOURCE_DIR "/tests/goldens/models/" + GetParam());
    Json found = to_config_json(gguf.config(), "float32", -1, -1), expected = to_config_json(directory.config(), "float32", -1, -1);
    // GGUF does not say which layers slide and how scores are scaled: the architecture does, and these tiny models differ from it.
    for (const char* key : {"layer_types", "query_pre_attn_scalar"}) found.erase(key), expected.erase(key);
    if (expected.contains("rope_scaling") && expected["rope_scaling"].contains("attention_factor")) {
        EXPECT_NEAR(found["rope_scaling"]["attention_factor"].get<double>(), expected["rope_scaling"]["attention_factor"].get<double>(), 1e-6);
        found["rope_scaling"].erase("attention_factor"), expected["rope_scaling"].erase("attention_factor");
    }
    // float32 in GGUF's metadata
    EXPECT_NEAR(found["rms_norm_eps"].get<double>(), expected["rms_norm_eps"].get<double>(), 1e-12);
    found.erase("rms_norm_eps"), expected.erase("rms_norm_eps");
    EXPECT_EQ(found, expected);
}

TEST_P(GgufModel, HasTheWeightsOfTheDirectory) {
    const ModelFiles gguf(folder + "models/" + GetParam() + ".gguf"), directory(TEMPER_SOURCE_DIR "/tests/goldens/models/" + GetParam());
    for (const TensorInfo& info : weight_list(directory.config())) {
        std::int64_t count = 1;
        for (const std::int64_t size : info.shape) count *= size;
        std::vector<float> found(static_cast<std::size_t>(count)), expected(found.size());
        const auto view = [&](std::vector<float>& values) {
            return info.shape.size() == 1 ? View(values.data(), DType::f32, {count})
                                          : View(values.data(), DType::f32, {info.shape[0], info.shape[1]});
        };
        gguf.weights().read(info.name, view(found));
        directory.weights().read(info.name, view(expected));
        // Adding 1 to the norms of Gemma and taking it away again rounds.
        const float slack = directory.config().norm_plus_one && info.shape.size() == 1 ? 1e-7f : 0.0f;
        for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], slack) << info.name << " " << i;
    }
}

INSTANTIATE_TEST_SUITE_P(Families, GgufModel, ::testing::Values("qwen3_norms", "phi4_longrope", "gemma2_caps", "gemma3_windows"),
                         [](const auto& model) { return model.param; });

}  // namespace
}  // namespace temper
