// Which modules an adapter's settings name, with which rank and scale, against PEFT; and what no module answers to.
#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "model/lora.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

ModelConfig small_model() {
    ModelConfig config;
    config.family = "llama";
    config.vocab_size = 32;
    config.hidden_size = 16;
    config.intermediate_size = 24;
    config.layers = 3;
    config.heads = 2;
    config.key_value_heads = 1;
    config.head_size = 8;
    return config;
}

TEST(LoraTargets, AreThoseOfPeft) {
    const Json golden = Json::parse(read_file(std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens/lora/matching.json"));
    ASSERT_GE(golden["cases"].size(), 10u);
    for (const Json& test : golden["cases"]) {
        const TemporaryDirectory directory;
        directory.put("adapter_config.json", test["config"].dump());
        const LoraLayout lora = make_lora_layout(small_model(), read_adapter_settings(directory.path()));
        EXPECT_EQ(lora.modules.size(), test["modules"].size()) << test["config"].dump();
        for (const LoraModule& module : lora.modules) {
            ASSERT_TRUE(test["modules"].contains(module.path)) << module.path << " of " << test["config"].dump();
            EXPECT_EQ(module.rank, test["modules"][module.path][0].get<std::int64_t>()) << module.path;
            EXPECT_EQ(module.scale, test["modules"][module.path][1].get<float>()) << module.path;
        }
    }
}

// What is written is read back as the same adapter.
TEST(LoraTargets, SurviveTheFile) {
    LoraSettings settings;
    settings.target_modules = parse_module_names({"model.layers.1.self_attn.q_proj", "up_proj", "down_proj"});
    settings.exclude_modules = parse_module_names({".*layers\\.2.*"});
    settings.layers_to_transform = {0, 2};
    settings.rank_pattern = {{"up_proj", 3}};
    settings.alpha_pattern = {{"model.layers.0.mlp.up_proj", 2.5}};
    settings.use_dora = true;
    const LoraLayout lora = make_lora_layout(small_model(), settings);
    ASSERT_EQ(lora.modules.size(), 3u);
    std::vector<float> parameters(static_cast<std::size_t>(lora.parameters));
    for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i] = static_cast<float>(i);
    const TemporaryDirectory directory;
    write_adapter(directory.path() / "adapter", lora, parameters.data(), "base");
    const LoraLayout read = make_lora_layout(small_model(), read_adapter_settings(directory.path() / "adapter"));
    ASSERT_EQ(read.parameters, lora.parameters);
    for (std::size_t i = 0; i < lora.modules.size(); ++i) {
        EXPECT_EQ(read.modules[i].path, lora.modules[i].path);
        EXPECT_EQ(read.modules[i].scale, lora.modules[i].scale);
        EXPECT_EQ(read.modules[i].offset_m, lora.modules[i].offset_m);
    }
    EXPECT_EQ(read_adapter(directory.path() / "adapter", read), parameters);
}

TEST(LoraTargets, MistakesAreNamed) {
    const auto error_of = [](const std::function<void(LoraSettings&)>& change) {
        LoraSettings settings;
        change(settings);
        try {
            make_lora_layout(small_model(), settings);
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::usage);
            return std::string(error.what());
        }
        return std::string("no error");
    };
    const auto expect = [&](const char* part, const std::function<void(LoraSettings&)>& change) {
        const std::string message = error_of(change);
        EXPECT_NE(message.find(part), std::string::npos) << message;
    };
    expect("'qproj' is no linear layer", [](LoraSettings& s) { s.target_modules = parse_module_names({"qproj", "v_proj"}); });
    expect("'lm_head' cannot be adapted", [](LoraSettings& s) { s.target_modules = parse_module_names({"lm_head", "v_proj"}); });
    expect("'model.embed_tokens' cannot be adapted", [](LoraSettings& s) { s.target_modules = parse_module_names({".*(embed|q_proj).*"}); });
    expect("missing closing parenthesis", [](LoraSettings& s) { s.target_modules = parse_module_names({"(q_proj"}); });
    expect("lora.rank_pattern: 'qproj' matches no adapted layer", [](LoraSettings& s) { s.rank_pattern = {{"qproj", 2}}; });
    expect("there is no layer 3", [](LoraSettings& s) {
        s.target_modules = parse_module_names({"q_proj"});
        s.layers_to_transform = {3};
    });
    expect("lora.layers_to_transform goes with a list", [](LoraSettings& s) { s.layers_to_transform = {1}; });
    expect("lora.layers_pattern is given without", [](LoraSettings& s) { s.layers_pattern = {"layers"}; });
    expect("no linear layer", [](LoraSettings& s) { s.exclude_modules = parse_module_names({".*"}); });
    // A pattern that would try for ever is stopped.
    expect("match limit", [](LoraSettings& s) { s.target_modules = parse_module_names({"(([a-z._0-9]+)+)+[!?]"}); });
}

// Merged: W + scale * B A, with DoRA every row at its magnitude.
TEST(ApplyAdapter, GivesWhatTheAdaptedLayerMultipliesBy) {
    for (const bool dora : {false, true}) {
        LoraSettings settings;
        settings.r = 3;
        settings.use_dora = dora;
        settings.target_modules = parse_module_names({"up_proj"});
        const LoraLayout lora = make_lora_layout(small_model(), settings);
        const LoraModule& module = lora.modules[1];
        std::vector<float> parameters(static_cast<std::size_t>(lora.parameters)), weight(static_cast<std::size_t>(module.out * module.in));
        for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i] = std::sin(static_cast<float>(i)) + (dora ? 2.0f : 0.0f);
        for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = std::cos(static_cast<float>(i));
        std::vector<float> merged = weight;
        apply_adapter(View(merged.data(), DType::f32, {module.out, module.in}), module, parameters.data());
        for (std::int64_t o = 0; o < module.out; ++o) {
            std::vector<double> row;
            double squares = 0.0;
            for (std::int64_t k = 0; k < module.in; ++k) {
                double value = static_cast<double>(weight[static_cast<std::size_t>(o * module.in + k)]);
                for (std::int64_t r = 0; r < 3; ++r)
                    value += static_cast<double>(module.scale) *
                             static_cast<double>(parameters[static_cast<std::size_t>(module.offset_b + o * 3 + r)]) *
                             static_cast<double>(parameters[static_cast<std::size_t>(module.offset_a + r * module.in + k)]);
                row.push_back(value);
                squares += value * value;
            }
            const double factor = dora ? static_cast<double>(parameters[static_cast<std::size_t>(module.offset_m + o)]) / std::sqrt(squares) : 1.0;
            for (std::int64_t k = 0; k < module.in; ++k)
                EXPECT_NEAR(merged[static_cast<std::size_t>(o * module.in + k)], row[static_cast<std::size_t>(k)] * factor, 1e-4);
        }
    }
}

}  // namespace
}  // namespace temper
