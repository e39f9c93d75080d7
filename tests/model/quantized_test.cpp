// Models whose weights stay quantised in memory: the same bits as from the same numbers expanded, and bitsandbytes' own checkpoints.
#include <cstring>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "kernels/fp8.h"
#include "model/convert.h"
#include "model/decoder.h"
#include "model/extended_model.h"
#include "model/quantized_weights.h"
#include "tests/support/expect_error.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

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

// Relative errors of the last four rows of logits against those of a reference that rounds nothing but the weights.
struct Errors {
    double exact, rounded;
};
Errors logit_errors(const std::filesystem::path& folder) {
    const auto expected = open_safetensors(folder / "checkpoint.safetensors");
    const std::vector<std::uint8_t> bytes = expected->read_bytes("input_ids", 1024);
    std::vector<std::int32_t> ids(bytes.size() / sizeof(std::int32_t));
    std::memcpy(ids.data(), bytes.data(), bytes.size());
    std::vector<float> wanted(4 * 320);
    expected->read("logits", View(wanted.data(), DType::f32, {4, 320}));
    const ModelFiles files(folder / "checkpoint");
    const std::vector<float> exact = logits_of(files, DType::f32, ids), rounded = logits_of(files, DType::bf16, ids);
    double exact_error = 0.0, rounded_error = 0.0, size = 0.0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        exact_error += std::pow(static_cast<double>(exact[exact.size() - wanted.size() + i] - wanted[i]), 2);
        rounded_error += std::pow(static_cast<double>(rounded[rounded.size() - wanted.size() + i] - wanted[i]), 2);
        size += std::pow(static_cast<double>(wanted[i]), 2);
    }
    return {std::sqrt(exact_error / size), std::sqrt(rounded_error / size)};
}

// The reference rounds the weights to bfloat16, as the checkpoint was saved, and computes in float32.
TEST(BitsAndBytes, LogitsOfTheCheckpoint) {
    const Errors errors = logit_errors(goldens / "nf4");
    EXPECT_LT(errors.exact, 0.01);
    EXPECT_LT(errors.rounded, 0.03);
}

TEST(Fp8, QuantisesAsTorch) {
    const auto golden = open_safetensors(goldens / "fp8/quantized.safetensors");
    for (const std::string name : {"rows", "single", "spread"}) {
        const TensorInfo& info = *golden->find(std::string(name) + ".weight");
        const std::int64_t out = info.shape[0], in = info.shape[1];
        const auto count = static_cast<std::size_t>(out * in);
        std::vector<float> weight(count), scales(static_cast<std::size_t>(out));
        golden->read(info.name, View(weight.data(), DType::f32, {out, in}));
        golden->read(name + ".scale", View(scales.data(), DType::f32, {out}));
        QuantMatrix quantized;
        quantize_f8(quantized, View(weight.data(), DType::f32, {out, in}));
        EXPECT_EQ(quantized.data, golden->read_bytes(name + ".packed", count)) << name;
        EXPECT_EQ(quantized.scale, scales) << name;
        std::vector<bf16> numbers(count), wanted(count);
        golden->read(name + ".bfloat16", View(wanted.data(), DType::bf16, {out, in}));
        dequantize(View(numbers.data(), DType::bf16, {out, in}), quantized.view);
        EXPECT_EQ(numbers, wanted) << name;
    }
}

TEST(Fp8, ScalesOfEveryKind) {
    const auto weights = open_fp8(open_safetensors(goldens / "fp8/scales.safetensors"));
    int count = 0;
    for (const std::string& name : weights->names()) {
        if (name.find(".expected") != std::string::npos) continue;
        const TensorInfo& info = *weights->find(name);
        const auto size = static_cast<std::size_t>(info.shape[0] * info.shape[1]);
        std::vector<bf16> numbers(size), wanted(size);
        weights->read(name, View(numbers.data(), DType::bf16, {info.shape[0], info.shape[1]}));
        weights->read(name.substr(0, name.find('.')) + ".expected", View(wanted.data(), DType::bf16, {info.shape[0], info.shape[1]}));
        EXPECT_EQ(numbers, wanted) << name;
        ++count;
    }
    EXPECT_EQ(count, 5);  // scales are none of the names
}

TEST(Fp8, CheckpointGivesTheLogitsOfTransformers) {
    const ModelFiles files(goldens / "fp8/checkpoint");
    EXPECT_TRUE(files.weights().kept_as("model.layers.1.mlp.down_proj.weight").scaled());
    expect_same_as_expanded(files, 0.9);
    const Errors errors = logit_errors(goldens / "fp8");
    EXPECT_LT(errors.exact, 1e-5);
    EXPECT_LT(errors.rounded, 0.03);
}

TEST(Fp8, LoadInFp8GivesTheBitsOfItsNumbers) {
    for (const DType dtype : {DType::bf16, DType::f32}) expect_same_as_expanded(ModelFiles(tiny, {false, false, false, dtype, true}), 0.95);
}

// 8-bit floats with no scale, and with one for other blocks than the weight has.
TEST(Fp8, RefusesScalesThatDoNotFit) {
    const TemporaryDirectory directory;
    const auto write = [&](const std::string& scale_name, const std::string& shape, std::size_t numbers) {
        std::string header = "{\"a.weight\":{\"dtype\":\"F8_E4M3\",\"shape\":[6,4],\"data_offsets\":[0,24]},\"" + scale_name +
                             "\":{\"dtype\":\"F32\",\"shape\":" + shape + ",\"data_offsets\":[24," + std::to_string(24 + 4 * numbers) + "]}}";
        header.resize((header.size() + 7) / 8 * 8, ' ');
        std::string file(8, '\0');
        for (std::size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(header.size() >> (8 * i) & 255);
        write_durable(directory / "model.safetensors", file + header + std::string(24 + 4 * numbers, '\0'));
    };
    write("b.weight_scale", "[6]", 6);
    EXPECT_ERROR(open_fp8(open_safetensors(directory / "model.safetensors")), ExitCode::bad_data, "a.weight");
    write("a.weight_scale", "[5]", 5);
    EXPECT_ERROR(open_fp8(open_safetensors(directory / "model.safetensors")), ExitCode::bad_data, "a.weight_scale");
    write("a.weight_scale", "[4,4]", 16);
    EXPECT_ERROR(open_fp8(open_safetensors(directory / "model.safetensors")), ExitCode::bad_data, "a.weight_scale");
    write("a.weight_scale", "[3,2]", 6);
    EXPECT_EQ(open_fp8(open_safetensors(directory / "model.safetensors"))->kept_as("a.weight").scale_rows, 2);
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
