// What is read of a configuration: RoPE frequencies against transformers, for every kind of scaling, and what is refused.
#include <gtest/gtest.h>

#include "io/durable.h"
#include "model/rope.h"

namespace temper {
namespace {

TEST(Rope, FrequenciesAreThoseOfTransformers) {
    const Json golden = Json::parse(read_file(TEMPER_SOURCE_DIR "/tests/goldens/rope.json"));
    for (const Json& item : golden["cases"]) {
        SCOPED_TRACE(item["name"].get<std::string>());
        const ModelConfig config = parse_model_config(item["config"], "config.json");
        EXPECT_NEAR(config.rope_scaling.attention_factor, item["attention_factor"].get<double>(), 1e-12);
        const std::vector<float> got = rope_inverse_frequencies(config, item["positions"].get<std::int64_t>());
        const std::vector<float> expected = item["inverse_frequencies"].get<std::vector<float>>();
        ASSERT_EQ(got.size(), expected.size());
        for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 3e-7f * expected[i]) << i;
    }
    EXPECT_GE(golden["cases"].size(), 6u);
}

TEST(ModelConfig, RefusesLayersThatTheFamilyHasAlike) {
    Json config = {
        {"model_type", "mistral"}, {"vocab_size", 100},        {"hidden_size", 16},   {"intermediate_size", 32},
        {"num_hidden_layers", 2},  {"num_attention_heads", 2}, {"sliding_window", 8}, {"layer_types", {"sliding_attention", "sliding_attention"}}};
    EXPECT_EQ(parse_model_config(config, "config.json").window(1), 8);
    config["layer_types"][0] = "full_attention";
    EXPECT_THROW(parse_model_config(config, "config.json"), Error);
}

TEST(ModelConfig, QuantisedModelsThatAreReadAndOthers) {
    const auto reads = [](const Json& quantization) {
        Json config = {{"model_type", "llama"},
                       {"vocab_size", 100},
                       {"hidden_size", 16},
                       {"intermediate_size", 32},
                       {"num_hidden_layers", 2},
                       {"num_attention_heads", 2},
                       {"quantization_config", quantization}};
        try {
            parse_model_config(config, "config.json");
            return true;
        } catch (const Error& error) {
            EXPECT_NE(std::string(error.what()).find("quantization_config"), std::string::npos) << error.what();
            return false;
        }
    };
    EXPECT_TRUE(reads({{"quant_method", "bitsandbytes"}, {"load_in_4bit", true}, {"bnb_4bit_quant_type", "nf4"}}));
    EXPECT_FALSE(reads({{"quant_method", "bitsandbytes"}, {"load_in_4bit", true}, {"bnb_4bit_quant_type", "fp4"}}));
    EXPECT_FALSE(reads({{"quant_method", "bitsandbytes"}, {"load_in_8bit", true}}));
    EXPECT_TRUE(reads({{"quant_method", "fp8"}, {"weight_block_size", {128, 128}}}));
    EXPECT_TRUE(reads({{"quant_method", "fbgemm_fp8"}}));
    EXPECT_TRUE(reads({{"quant_method", "compressed-tensors"}, {"format", "float-quantized"}}));
    EXPECT_FALSE(reads({{"quant_method", "compressed-tensors"}, {"format", "pack-quantized"}}));
    EXPECT_TRUE(reads({{"quant_method", "modelopt"}, {"quant_algo", "FP8"}}));
    EXPECT_FALSE(reads({{"quant_method", "modelopt"}, {"quant_algo", "NVFP4"}}));
    EXPECT_FALSE(reads({{"quant_method", "gptq"}, {"bits", 4}}));
    EXPECT_FALSE(reads("fp8"));
}

}  // namespace
}  // namespace temper
