// Models written anew: what is read back is the same model, whatever the format; a wrong one is refused and nothing is left behind.
#include "model/convert.h"

#include <cmath>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "model/gguf_names.h"
#include "model/rope.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

const fs::path goldens = fs::path(TEMPER_SOURCE_DIR) / "tests/goldens";
const fs::path tiny = goldens / "tiny_chat";

// An adapter of the tiny model with numbers that are not zero.
fs::path make_adapter(const TemporaryDirectory& directory, float size) {
    LoraSettings settings;
    settings.r = 3;
    settings.alpha = 6.0;
    const LoraLayout layout = make_lora_layout(ModelFiles(tiny).config(), settings);
    std::vector<float> parameters(static_cast<std::size_t>(layout.parameters));
    init_lora(layout, 5, parameters.data());
    for (const LoraModule& module : layout.modules)
        for (std::int64_t i = 0; i < module.out * module.rank; ++i)
            parameters[static_cast<std::size_t>(module.offset_b + i)] = size * std::sin(static_cast<float>(i + module.offset_b));
    write_adapter(directory / "adapter", layout, parameters.data(), "tiny");
    return directory / "adapter";
}

std::vector<float> logits_of(const fs::path& model) {
    const ModelFiles files(model);
    return probe_logits(files, {}, {}, fixed_probe(files.load_tokenizer()), 1);
}

TEST(Convert, ToGgufAndBackIsTheSameModel) {
    const TemporaryDirectory directory;
    convert_model(tiny, directory / "model.gguf", "F32");
    convert_model(directory / "model.gguf", directory / "back", "F32");
    const ModelFiles before(tiny), between(directory / "model.gguf"), after(directory / "back");
    for (const ModelFiles* files : {&between, &after}) {
        EXPECT_EQ(files->config().eos_ids, before.config().eos_ids);
        EXPECT_EQ(files->config().tied_head, before.config().tied_head);
        EXPECT_EQ(files->config().max_position_embeddings, before.config().max_position_embeddings);
        EXPECT_EQ(files->load_tokenizer().chat_template(), before.load_tokenizer().chat_template());
        EXPECT_EQ(logits_of(files->path()), logits_of(tiny));
    }
    convert_model(tiny, directory / "again.gguf", "F32");
    EXPECT_EQ(sha256_file(directory / "again.gguf"), sha256_file(directory / "model.gguf"));
}

// The tiny tokenizer with its first `size` tokens.
std::string smaller_tokenizer(std::int64_t size) {
    Json tokenizer = Json::parse(read_file(tiny / "tokenizer.json")), vocabulary = Json::object(), merges = Json::array();
    for (const auto& [token, id] : tokenizer["model"]["vocab"].items())
        if (id.get<std::int64_t>() < size) vocabulary[token] = id;
    for (const Json& merge : tokenizer["model"]["merges"]) {
        const std::string text = merge.is_string() ? merge.get<std::string>() : merge[0].get<std::string>() + " " + merge[1].get<std::string>();
        std::string joined = text;
        joined.erase(joined.find(' '), 1);
        if (vocabulary.contains(joined)) merges.push_back(merge);
    }
    tokenizer["model"]["vocab"] = vocabulary;
    tokenizer["model"]["merges"] = merges;
    return tokenizer.dump();
}

// A golden model of the family with a tiny tokenizer; GGUF takes these settings from the architecture, so the model has them as well.
fs::path with_tokenizer(const TemporaryDirectory& directory, const std::string& name) {
    const fs::path target = directory / name;
    fs::create_directories(target);
    for (const auto& entry : fs::directory_iterator(goldens / "models" / name))
        if (entry.path().filename().string().starts_with("model")) fs::copy(entry.path(), target / entry.path().filename());
    fs::copy(tiny / "tokenizer_config.json", target / "tokenizer_config.json");
    directory.put(name + "/tokenizer.json", smaller_tokenizer(320));
    Json config = Json::parse(read_file(goldens / "models" / name / "config.json"));
    if (config.contains("query_pre_attn_scalar")) config["query_pre_attn_scalar"] = config["head_dim"];
    if (name == "gemma3_windows") config["layer_types"] = {"sliding_attention", "sliding_attention"};
    directory.put(name + "/config.json", config.dump());
    return target;
}

TEST(Convert, EveryFamilyToGgufAndBackIsTheSameModel) {
    for (const char* name : {"llama_linear", "llama_biases", "mistral_window", "qwen2_bias", "qwen3_norms", "phi3_fused", "phi4_longrope",
                             "gemma_geglu", "gemma2_caps", "gemma3_windows"}) {
        SCOPED_TRACE(name);
        const TemporaryDirectory directory;
        const fs::path model = with_tokenizer(directory, name);
        convert_model(model, directory / "model.gguf", "F32");
        convert_model(directory / "model.gguf", directory / "back", "F32");
        const std::vector<float> before = logits_of(model), between = logits_of(directory / "model.gguf"), after = logits_of(directory / "back");
        ASSERT_EQ(before.size(), between.size());
        for (std::size_t i = 0; i < before.size(); ++i) {
            ASSERT_NEAR(between[i], before[i], 1e-4) << i;  // norms of Gemma are rounded near 1, constants are float32
            ASSERT_NEAR(after[i], before[i], 1e-4) << i;
        }
    }
}

TEST(Convert, RefusesWhatGgufHasNoWordsFor) {
    const TemporaryDirectory directory;
    const fs::path model = with_tokenizer(directory, "gemma2_caps");
    Json config = Json::parse(read_file(model / "config.json"));
    config["query_pre_attn_scalar"] = 24;
    directory.put("gemma2_caps/config.json", config.dump());
    EXPECT_ERROR(convert_model(model, directory / "model.gguf", "F32"), ExitCode::usage,
                 "GGUF has no words for this model's query_pre_attn_scalar 24");
    EXPECT_FALSE(fs::exists(directory / "model.gguf"));
}

TEST(Convert, ScalingOfLlama3GoesThroughItsDivisors) {
    for (const double factor : {8.0, 32.0}) {
        ModelConfig config;
        config.family = "llama";
        config.head_size = config.rotary_size = 64;
        config.rope_theta = 500000.0;
        const std::vector<float> plain = rope_inverse_frequencies(config, 0);
        EXPECT_TRUE(gguf_rope_divisors(config).empty());
        config.rope_scaling = {};
        config.rope_scaling.kind = RopeScaling::Kind::llama3;
        config.rope_scaling.factor = factor;
        const std::vector<float> scaled = rope_inverse_frequencies(config, 0), divisors = gguf_rope_divisors(config);
        ASSERT_EQ(divisors.size(), 32u);
        for (std::size_t i = 0; i < divisors.size(); ++i) EXPECT_NEAR(plain[i] / divisors[i], scaled[i], 1e-5f * scaled[i]) << i;
    }
}

TEST(Merge, EveryTypeStaysWithinItsBound) {
    const TemporaryDirectory directory;
    const fs::path adapter = make_adapter(directory, 0.05f);
    const ModelFiles base(tiny);
    const LoraLayout lora = make_lora_layout(base.config(), read_adapter_settings(adapter));
    const std::vector<float> with_adapter = probe_logits(base, lora, read_adapter(adapter, lora), fixed_probe(base.load_tokenizer()), 1);
    EXPECT_NE(with_adapter, logits_of(tiny));
    double last = -1.0;
    for (const char* name : {"f32", "f32.gguf", "f16.gguf", "bf16", "bf16.gguf", "q8_0.gguf"}) {
        SCOPED_TRACE(name);
        std::string type = name;
        type = type.substr(0, type.find('.'));
        std::transform(type.begin(), type.end(), type.begin(), [](char c) { return static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c); });
        const ProbeResult result = merge_adapter(tiny, adapter, directory / name, {type, {}, 1});
        const std::vector<float> written = logits_of(directory / name);
        ASSERT_EQ(written.size(), with_adapter.size());
        double largest = 0.0;
        for (std::size_t i = 0; i < written.size(); ++i) largest = std::max(largest, std::abs(static_cast<double>(written[i] - with_adapter[i])));
        EXPECT_NEAR(result.largest, largest, 1e-6);
        EXPECT_GT(result.bound, result.largest);
        EXPECT_GT(result.bound, 0.0);
        EXPECT_LT(result.largest, type == "F32" ? 1e-4 : 1.0);
        last = largest;
    }
    EXPECT_GT(last, 0.0);
}

// Weights that are not those meant, as a fault of the writer would leave them.
TEST(Merge, ADifferenceBeyondTheStepsIsSeen) {
    const TemporaryDirectory directory;
    const ModelFiles base(tiny);
    const LoraLayout lora = make_lora_layout(base.config(), read_adapter_settings(make_adapter(directory, 0.05f)));
    const std::vector<float> parameters = read_adapter(directory / "adapter", lora);
    const MergedWeights made(base.weights(), lora, parameters);
    const auto bf16_steps = [](const TensorInfo&) { return GgufStored::BF16; };
    EXPECT_ERROR(require_within_steps(base, made, bf16_steps), ExitCode::internal, "more than storing explains");
    const ProbeResult result = run_probe(base, lora, parameters, made, base, bf16_steps, fixed_probe(base.load_tokenizer()), 1);
    EXPECT_GT(result.largest, result.bound);
}

TEST(Merge, LeavesNothingBehindWhenItRefuses) {
    const TemporaryDirectory directory;
    const fs::path adapter = make_adapter(directory, NAN);
    for (const char* name : {"out", "out.gguf"}) {
        EXPECT_ERROR(merge_adapter(tiny, adapter, directory / name, {}), ExitCode::non_finite, "is not finite at element");
        EXPECT_FALSE(fs::exists(directory / name));
    }
    EXPECT_EQ(std::distance(fs::directory_iterator(directory.path()), fs::directory_iterator()), 1);
}

TEST(Merge, NamesWhatItCannotWrite) {
    const TemporaryDirectory directory;
    const fs::path adapter = make_adapter(directory, 0.01f);
    EXPECT_ERROR(merge_adapter(tiny, adapter, directory / "out", {"Q8_0", {}, 1}), ExitCode::usage, "a directory is written in F32 or BF16");
    EXPECT_ERROR(merge_adapter(tiny, adapter, directory / "out.gguf", {"Q4_K", {}, 1}), ExitCode::usage, "expected F32, F16, BF16 or Q8_0");
    EXPECT_ERROR(merge_adapter(tiny, adapter, directory / "adapter", {}), ExitCode::usage, "exists and is not empty");
    EXPECT_ERROR(convert_model(tiny, directory / "out", ""), ExitCode::usage, "is a Hugging Face directory already");
    ModelConfig other;
    other.family = "mamba";
    EXPECT_ERROR(gguf_family(other), ExitCode::usage, "a mamba model cannot be written as GGUF, only llama");
}

}  // namespace
}  // namespace temper
