// Logits of tiny decoders of every family against transformers and PEFT, in float32, and in bfloat16 within its rounding.
#include <algorithm>
#include <cstring>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "model/decoder.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

using test::Golden;

// Three rows of the golden laid end to end.
struct Tokens {
    std::vector<std::int32_t> ids, positions;
    TokenBatch batch;

    explicit Tokens(const Golden& golden) {
        ids = golden.integers("input_ids");
        for (const std::int32_t length : golden.integers("lengths")) {
            Segment segment;
            segment.begin = segment.key_begin = static_cast<std::int64_t>(positions.size());
            segment.length = length;
            for (std::int64_t i = 0; i < segment.length; ++i) positions.push_back(static_cast<std::int32_t>(i));
            batch.segments.push_back(segment);
        }
        const auto n = static_cast<std::int64_t>(ids.size());
        batch.ids = View(ids.data(), DType::i32, {n});
        batch.positions = View(positions.data(), DType::i32, {n});
    }
};

std::vector<float> logits_of(const ModelFiles& files, const LoraLayout& lora, std::vector<float> parameters, DType dtype, Tokens& tokens) {
    Stream stream(2);
    Decoder decoder(stream, files, lora, {dtype, false, 128});
    if (!parameters.empty()) decoder.refresh_adapter(View(parameters.data(), DType::f32, {lora.parameters}));
    const std::int64_t n = tokens.batch.ids.size(0), vocab = files.config().vocab_size;
    Activations activations(Device::cpu, files.config(), lora, dtype, n, Activations::Keep::all);
    const View hidden = decoder.forward(tokens.batch, activations);
    std::vector<float> logits(static_cast<std::size_t>(n * vocab));
    ops::linear(stream, View(logits.data(), DType::f32, {n, vocab}), hidden, decoder.head(), View());
    if (files.config().logit_softcap > 0.0)
        ops::softcap(stream, View(logits.data(), DType::f32, {n, vocab}), static_cast<float>(files.config().logit_softcap));
    return logits;
}

class DecoderGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(DecoderGolden, LogitsInFloat32) {
    const Golden golden(GetParam());
    Tokens tokens(golden);
    const double absolute = golden.json["tol"]["logits"]["atol"], relative = golden.json["tol"]["logits"]["rtol"];
    const ModelFiles files(golden.directory);
    const std::vector<float> base = logits_of(files, {}, {}, DType::f32, tokens), base_expected = golden.floats("base_logits");
    ASSERT_EQ(base.size(), base_expected.size());
    test::expect_close(base.data(), base_expected.data(), base.size(), absolute, relative, "base logits");
    const LoraLayout lora = make_lora_layout(files.config(), read_adapter_settings(golden.directory / "adapter"));
    const std::vector<float> adapted = logits_of(files, lora, read_adapter(golden.directory / "adapter", lora), DType::f32, tokens);
    const std::vector<float> adapted_expected = golden.floats("adapter_logits");
    test::expect_close(adapted.data(), adapted_expected.data(), adapted.size(), absolute, relative, "adapter logits");
}

TEST_P(DecoderGolden, LogitsInBfloat16) {
    const Golden golden(GetParam());
    Tokens tokens(golden);
    const ModelFiles files(golden.directory);
    const LoraLayout lora = make_lora_layout(files.config(), read_adapter_settings(golden.directory / "adapter"));
    const std::vector<float> got = logits_of(files, lora, read_adapter(golden.directory / "adapter", lora), DType::bf16, tokens);
    const std::vector<float> expected = golden.floats("adapter_logits");
    // Rounding of weights and of every stored activation to 8 bits; the bound is on the root mean square, relative to that of the logits.
    double error = 0.0, size = 0.0;
    for (std::size_t i = 0; i < got.size(); ++i) {
        error += std::pow(static_cast<double>(got[i] - expected[i]), 2);
        size += std::pow(static_cast<double>(expected[i]), 2);
    }
    EXPECT_LT(std::sqrt(error / size), 0.03);
}

TEST_P(DecoderGolden, ConfigurationsOfTransformers4And5AreTheSameModel) {
    const Golden golden(GetParam());
    const auto variants = golden.directory / "variants";
    // What is written for a model says all that counts of it.
    const auto describe = [](const ModelConfig& c) { return to_config_json(c, "float32", 1, 2).dump(); };
    const std::string expected = describe(ModelFiles(golden.directory).config());
    int count = 0;
    for (const auto& variant : std::filesystem::directory_iterator(variants)) {
        const auto path = variant.path() / "config.json";
        EXPECT_EQ(describe(parse_model_config(Json::parse(read_file(path)), path.string())), expected) << path;
        ++count;
    }
    EXPECT_GE(count, 1);
}

TEST_P(DecoderGolden, TheConfigurationWrittenIsTheSameModel) {
    const Json written = to_config_json(ModelFiles(Golden(GetParam()).directory).config(), "float32", 1, 2);
    EXPECT_EQ(to_config_json(parse_model_config(written, "written"), "float32", 1, 2), written);
}

// Row law: a row alone and the same row among others give the same bits.
TEST_P(DecoderGolden, RowsAreIndependentBitForBit) {
    const Golden golden(GetParam());
    Tokens all(golden);
    const ModelFiles files(golden.directory);
    const LoraLayout lora = make_lora_layout(files.config(), read_adapter_settings(golden.directory / "adapter"));
    const std::vector<float> parameters = read_adapter(golden.directory / "adapter", lora);
    for (const DType dtype : {DType::f32, DType::bf16}) {
        const std::vector<float> together = logits_of(files, lora, parameters, dtype, all);
        for (const Segment& segment : all.batch.segments) {
            Tokens one(golden);
            one.batch.ids = one.batch.ids.rows(segment.begin, segment.length);
            one.batch.positions = one.batch.positions.rows(segment.begin, segment.length);
            Segment moved = segment;
            moved.begin = moved.key_begin = 0;
            one.batch.segments = {moved};
            const std::vector<float> alone = logits_of(files, lora, parameters, dtype, one);
            EXPECT_EQ(std::memcmp(alone.data(), together.data() + segment.begin * files.config().vocab_size, alone.size() * sizeof(float)), 0)
                << name_of(dtype);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Models, DecoderGolden, ::testing::ValuesIn(test::golden_names()), [](const auto& model) { return model.param; });

// The golden's weights as an embedding model has them, without "model." before their names, and without a head.
struct BareCheckpoint {
    TemporaryDirectory directory;
    std::vector<std::vector<float>> values;
    std::vector<NamedTensor> tensors;

    explicit BareCheckpoint(const Golden& golden) {
        std::filesystem::copy_file(golden.directory / "config.json", directory / "config.json");
        const auto source = open_safetensors(golden.directory);
        for (const std::string& name : source->names()) {
            if (name == "lm_head.weight") continue;
            const std::vector<std::int64_t>& shape = source->find(name)->shape;
            const std::int64_t rows = shape.front(), columns = shape.size() == 2 ? shape.back() : 1;
            std::vector<float>& numbers = values.emplace_back(static_cast<std::size_t>(rows * columns));
            const View view = shape.size() == 2 ? View(numbers.data(), DType::f32, {rows, columns}) : View(numbers.data(), DType::f32, {rows});
            source->read(name, view);
            EXPECT_EQ(name.rfind("model.", 0), 0u) << name;
            tensors.push_back({name.substr(6), view});
        }
        write();
    }
    void write() const { write_safetensors(directory / "model.safetensors", tensors); }
};

TEST(BareDecoder, HasTheLogitsOfTheWholeModel) {
    const Golden golden("qwen3_norms");
    BareCheckpoint bare(golden);
    Tokens tokens(golden);
    const double absolute = golden.json["tol"]["logits"]["atol"], relative = golden.json["tol"]["logits"]["rtol"];
    const std::vector<float> got = logits_of(ModelFiles(bare.directory.path()), {}, {}, DType::f32, tokens), expected = golden.floats("base_logits");
    ASSERT_EQ(got.size(), expected.size());
    test::expect_close(got.data(), expected.data(), got.size(), absolute, relative, "logits");

    bare.tensors.front().name = "layers.0.other.weight";
    bare.write();
    EXPECT_THROW(ModelFiles(bare.directory.path()), Error);
}

// Of a model whose head is not its embedding, as E5-Mistral's is not: only who wants logits misses it.
TEST(BareDecoder, WithoutItsHeadHasTheStatesOfTheWholeModel) {
    const Golden golden("mistral_window");
    const BareCheckpoint bare(golden);
    EXPECT_THROW(ModelFiles(bare.directory.path()), Error);
    const auto states = [&](const ModelFiles& files) {
        Tokens tokens(golden);
        Stream stream(2);
        const Decoder decoder(stream, files, {}, {DType::f32, false, 128});
        const std::int64_t n = tokens.batch.ids.size(0), width = files.config().hidden_size;
        Activations activations(Device::cpu, files.config(), {}, DType::f32, n, Activations::Keep::nothing);
        std::vector<float> values(static_cast<std::size_t>(n * width));
        ops::copy(stream, View(values.data(), DType::f32, {n, width}), decoder.forward(tokens.batch, activations));
        return values;
    };
    const std::vector<float> whole = states(ModelFiles(golden.directory));
    EXPECT_EQ(states(ModelFiles(golden.directory, {}, ModelFiles::Head::unread)), whole);
    EXPECT_EQ(states(ModelFiles(bare.directory.path(), {}, ModelFiles::Head::unread)), whole);
}

}  // namespace
}  // namespace temper
