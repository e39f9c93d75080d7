// Models whose weights stay quantised in memory: the same bits as from the same numbers expanded, and bitsandbytes' own checkpoints.
#include <cstring>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "model/convert.h"
#include "model/decoder.h"
#include "model/extended_model.h"
#include "tests/io/temporary_directory.h"
#include "tests/support/golden.h"

namespace temper {
namespace {

using testing::TemporaryDirectory;

const std::filesystem::path goldens = std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens";
const std::filesystem::path tiny = goldens / "models/llama_gqa_tied";

// The numbers of a source, none of which is kept as it is stored.
class Expanded : public TensorSource {
  public:
    explicit Expanded(const TensorSource& base) : base_(base) {}
    std::vector<std::string> names() const override { return base_.names(); }
    const TensorInfo* find(const std::string& name) const override { return base_.find(name); }
    void read(const std::string& name, View destination) const override { base_.read(name, destination); }
    std::string describe() const override { return base_.describe(); }

  private:
    const TensorSource& base_;
};

std::vector<float> logits_of(const ModelFiles& files, DType dtype, std::vector<std::int32_t> ids, std::size_t* bytes = nullptr) {
    Stream stream(2);
    const Decoder decoder(stream, files, {}, {dtype, false, 128});
    if (bytes != nullptr) *bytes = decoder.bytes();
    const auto n = static_cast<std::int64_t>(ids.size());
    std::vector<std::int32_t> positions;
    for (std::int32_t i = 0; i < n; ++i) positions.push_back(i);
    TokenBatch batch;
    batch.ids = View(ids.data(), DType::i32, {n});
    batch.positions = View(positions.data(), DType::i32, {n});
    Segment segment;
    segment.length = n;
    batch.segments = {segment};
    Activations activations(Device::cpu, files.config(), {}, dtype, n, Activations::Keep::nothing);
    const View hidden = decoder.forward(batch, activations);
    std::vector<float> logits(static_cast<std::size_t>(n * files.config().vocab_size));
    ops::linear(stream, View(logits.data(), DType::f32, {n, files.config().vocab_size}), hidden, decoder.head(), View());
    return logits;
}

void expect_same_as_expanded(const ModelFiles& files, double most_of_plain) {
    const ModelFiles plain(files, std::make_unique<Expanded>(files.weights()), files.config());
    for (const DType dtype : {DType::f32, DType::bf16}) {
        std::size_t kept_bytes = 0, plain_bytes = 0;
        const std::vector<float> kept = logits_of(files, dtype, {3, 99, 7, 250, 14, 3}, &kept_bytes);
        const std::vector<float> expanded = logits_of(plain, dtype, {3, 99, 7, 250, 14, 3}, &plain_bytes);
        EXPECT_EQ(std::memcmp(kept.data(), expanded.data(), kept.size() * sizeof(float)), 0) << name_of(dtype);
        const Decoder::Options options{dtype, false, 128};
        EXPECT_EQ(kept_bytes, Decoder::predict_bytes(Device::cpu, files.config(), {}, options, &files.weights()));
        EXPECT_EQ(plain_bytes, Decoder::predict_bytes(Device::cpu, files.config(), {}, options));
        EXPECT_LT(static_cast<double>(kept_bytes), most_of_plain * static_cast<double>(plain_bytes)) << name_of(dtype);
    }
}

TEST(QuantizedModel, LoadIn4BitGivesTheBitsOfItsNumbers) {
    for (const DType dtype : {DType::bf16, DType::f32})
        for (const bool double_quant : {false, true}) expect_same_as_expanded(ModelFiles(tiny, {true, double_quant, false, dtype}), 0.9);
}

TEST(QuantizedModel, EveryFamily) {
    for (const std::string& name : test::golden_names()) {
        SCOPED_TRACE(name);
        expect_same_as_expanded(ModelFiles(goldens / "models" / name, {true, true}), 1.0);
    }
}

// A Llama model wide enough for blocks of 32.
void write_model(const std::filesystem::path& directory) {
    std::filesystem::create_directory(directory);
    Json json = parse_json(read_file(tiny / "config.json"), "config.json");
    json["hidden_size"] = 64;
    json["intermediate_size"] = 96;
    json["head_dim"] = 16;
    json["vocab_size"] = parse_json(read_file(goldens / "tiny_chat/config.json"), "config.json")["vocab_size"];
    write_durable(directory / "config.json", json.dump());
    for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) std::filesystem::copy_file(goldens / "tiny_chat" / name, directory / name);
    const ModelConfig config = parse_model_config(json, "config.json");
    std::vector<std::vector<float>> memory;
    std::vector<NamedTensor> tensors;
    std::uint32_t state = 1;
    for (const TensorInfo& info : weight_list(config)) {
        std::int64_t elements = 1;
        for (const std::int64_t size : info.shape) elements *= size;
        memory.emplace_back();
        for (std::int64_t i = 0; i < elements; ++i) {
            state = state * 1664525u + 1013904223u;
            memory.back().push_back(static_cast<float>(state >> 8) * 0x1p-24f - 0.5f);
        }
        float* const data = memory.back().data();
        tensors.push_back(
            {info.name, info.shape.size() == 1 ? View(data, DType::f32, {elements}) : View(data, DType::f32, {info.shape[0], info.shape[1]})});
    }
    write_safetensors(directory / "model.safetensors", tensors);
}

TEST(QuantizedModel, GgufBlocksStayAsTheyAre) {
    const TemporaryDirectory directory;
    write_model(directory / "model");
    convert_model(directory / "model", directory / "model.gguf", "Q8_0");
    const ModelFiles files(directory / "model.gguf", {false, false, true});
    EXPECT_TRUE(files.weights().kept_as("model.layers.1.self_attn.q_proj.weight").quantized());
    EXPECT_TRUE(files.weights().kept_as("model.embed_tokens.weight").quantized());
    EXPECT_FALSE(ModelFiles(directory / "model.gguf").weights().kept_as("model.layers.1.self_attn.q_proj.weight").quantized());
    expect_same_as_expanded(files, 0.9);
}

// As transformers saves a model that bitsandbytes quantised.
TEST(BitsAndBytes, CheckpointHoldsTheWeightsThatTheLibrarySees) {
    const ModelFiles files(goldens / "nf4/checkpoint");
    const auto expected = open_safetensors(goldens / "nf4/checkpoint.safetensors");
    int count = 0;
    for (const std::string& name : expected->names()) {
        if (name == "logits" || name == "input_ids") continue;
        const TensorInfo& info = *expected->find(name);
        std::vector<bf16> wanted(static_cast<std::size_t>(info.shape[0] * info.shape[1])), got(wanted.size());
        expected->read(name, View(wanted.data(), DType::bf16, {info.shape[0], info.shape[1]}));
        files.weights().read(name, View(got.data(), DType::bf16, {info.shape[0], info.shape[1]}));
        EXPECT_EQ(got, wanted) << name;
        ++count;
    }
    EXPECT_EQ(count, 14);
    expect_same_as_expanded(files, 0.9);
}

TEST(BitsAndBytes, LogitsOfTheCheckpoint) {
    const auto expected = open_safetensors(goldens / "nf4/checkpoint.safetensors");
    const std::vector<std::uint8_t> bytes = expected->read_bytes("input_ids", 1024);
    std::vector<std::int32_t> ids(bytes.size() / sizeof(std::int32_t));
    std::memcpy(ids.data(), bytes.data(), bytes.size());
    std::vector<float> wanted(4 * 320);
    expected->read("logits", View(wanted.data(), DType::f32, {4, 320}));
    const ModelFiles files(goldens / "nf4/checkpoint");
    // The reference rounds the weights to bfloat16, as the checkpoint was saved, and computes in float32.
    const std::vector<float> exact = logits_of(files, DType::f32, ids), rounded = logits_of(files, DType::bf16, ids);
    double exact_error = 0.0, rounded_error = 0.0, size = 0.0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        exact_error += std::pow(static_cast<double>(exact[exact.size() - wanted.size() + i] - wanted[i]), 2);
        rounded_error += std::pow(static_cast<double>(rounded[rounded.size() - wanted.size() + i] - wanted[i]), 2);
        size += std::pow(static_cast<double>(wanted[i]), 2);
    }
    EXPECT_LT(std::sqrt(exact_error / size), 0.01);
    EXPECT_LT(std::sqrt(rounded_error / size), 0.03);
}

TEST(QuantizedModel, AdaptersThatStartFromTheWeightsAreRefused) {
    const ModelFiles files(tiny, {true});
    LoraSettings settings;
    settings.init = "olora";
    const LoraLayout lora = make_lora_layout(files.config(), settings);
    const std::vector<float> start(static_cast<std::size_t>(lora.parameters));
    Stream stream(1);
    EXPECT_ERROR(Decoder(stream, files, lora, {DType::bf16, true, 16, start.data()}), ExitCode::usage, "lora.init_lora_weights");
}

TEST(QuantizedModel, ModulesTrainedWholeBesideIt) {
    LoraSettings settings;
    settings.modules_to_save = {"embed_tokens", "lm_head"};
    const ModelFiles files(tiny, {true, true});
    const auto extended = extend_model(files, settings);
    EXPECT_TRUE(extended->weights().kept_as("model.layers.0.self_attn.q_proj.weight").quantized());
    EXPECT_FALSE(extended->weights().kept_as("lm_head.weight").quantized());
    expect_same_as_expanded(*extended, 0.95);
}

}  // namespace
}  // namespace temper
