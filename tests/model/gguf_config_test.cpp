// What a model is, read from GGUF metadata: the RoPE scaling that converters hide in a tensor, several end tokens, and tensors that
// belong to nothing.
#include <gtest/gtest.h>

#include "io/durable.h"
#include "io/gguf.h"
#include "kernels/error.h"
#include "model/model_files.h"
#include "model/rope.h"
#include "tests/io/temporary_directory.h"

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
    const testing::TemporaryDirectory directory;
    std::string bytes = read_file(folder + "llama32.gguf");
    const std::string known = "rope_freqs.weight";
    bytes.replace(bytes.find(known), known.size(), "blk.0.attn_q.bias");
    expect_refused(directory.put("model.gguf", bytes).string(), "tensor blk.0.attn_q.bias belongs to no layer");
}

}  // namespace
}  // namespace temper
