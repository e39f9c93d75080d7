// Scales of 8-bit encoders: what a calibration measures, its file, and vectors that depend on their text alone.
#include "model/int8_calibration.h"

#include <cmath>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "kernels/error.h"
#include "model/model_passes.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

std::filesystem::path tiny(const std::string& name) { return std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens/encoders" / name; }

TokenRows texts_of(const EmbeddingModel& model) {
    TokenRows rows;
    const Json golden = Json::parse(read_file(model.path() / "golden.json"));
    for (const Json& text : golden["texts"]) model.texts().add(text.get<std::string>(), rows);
    return rows;
}

Int8Scales calibrated(const std::string& name) {
    Stream stream(2);
    const EmbeddingModel model(stream, tiny(name), {});
    return calibrate_int8(stream, model, {}, texts_of(model));
}

std::vector<float> vectors(const std::string& name, const std::optional<Int8Scales>& scales, int threads, std::int64_t batch_tokens) {
    Stream stream(threads);
    EmbeddingModel::Options options;
    options.int8 = scales;
    const EmbeddingModel model(stream, tiny(name), options);
    const TokenRows rows = texts_of(model);
    std::vector<float> result(rows.size() * static_cast<std::size_t>(model.dimensions()));
    ModelPasses<EmbeddingModel>(model, stream, batch_tokens).run_together(rows, result.data());
    return result;
}

TEST(Int8Calibration, VectorsStayNearThoseOfFloat32) {
    for (const std::string name : {"bert", "xlm_roberta", "distilbert_dense"}) {
        const Int8Scales scales = calibrated(name);
        EXPECT_GT(scales.least_cosine, least_int8_cosine) << name;
        EXPECT_LT(scales.least_cosine, 1.0) << name;  // so that 8-bit integers have run
        EXPECT_GE(scales.mean_cosine, scales.least_cosine) << name;
        EXPECT_NE(vectors(name, scales, 1, 0), vectors(name, {}, 1, 0)) << name;
    }
}

TEST(Int8Calibration, AVectorDependsOnItsTextAlone) {
    const Int8Scales scales = calibrated("bert");
    const std::vector<float> one = vectors("bert", scales, 1, 1);
    EXPECT_EQ(vectors("bert", scales, 1, 4096), one);
    EXPECT_EQ(vectors("bert", scales, 2, 64), one);
}

TEST(Int8Calibration, LinearsThatDoTooMuchHarmKeepTheirWeights) {
    Stream stream(2);
    const EmbeddingModel model(stream, tiny("bert"), {});
    const TokenRows rows = texts_of(model);
    std::size_t before = Encoder::linears(model.transformer().encoder()->config());
    for (const double least : {0.999, 0.99995, 0.99999, 1.1}) {
        const Int8Scales scales = calibrate_int8(stream, model, {}, rows, least);
        EXPECT_LE(scales.accepted(), before) << least;
        if (scales.accepted() > 0) {
            EXPECT_GE(scales.least_cosine, least);
        }
        before = scales.accepted();
    }
    EXPECT_EQ(before, 0u);
}

// The largest integer that a pass over the rows makes of a linear's input.
float largest_integer(const InputColumns& columns, const Int8Input& input) {
    float largest = 0.0f;
    for (std::size_t k = 0; k < columns.largest.size(); ++k) largest = std::max(largest, columns.largest[k] * input.multipliers[k]);
    return largest;
}

TEST(Int8Calibration, MultipliersFitWhatTheLinearsAreGiven) {
    Stream stream(1);
    const EmbeddingModel model(stream, tiny("bert"), {});
    const TokenRows rows = texts_of(model);
    const Encoder& encoder = *model.transformer().encoder();
    const auto tokens = static_cast<std::int64_t>(rows.ids.size());
    EncoderActivations activations(Device::cpu, encoder.config(), DType::f32, tokens);
    std::vector<InputColumns> inputs(Encoder::linears(encoder.config()));
    activations.observe(inputs);
    std::vector<std::size_t> all(rows.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    TokenPack pack(Device::cpu, tokens);
    encoder.forward(stream, pack.pack(stream, model.transformer(), rows, {all.data(), all.size()}), activations);

    const Int8Scales wide = calibrate_int8(stream, model, {}, rows), narrow = calibrate_int8(stream, model, {}, rows, 0.9, 8);
    ASSERT_EQ(wide.accepted(), inputs.size());
    ASSERT_EQ(narrow.accepted(), inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        EXPECT_EQ(wide.inputs[i].most, Int8Linear::widest(Encoder::inputs_of(encoder.config(), i)));
        EXPECT_NEAR(largest_integer(inputs[i], wide.inputs[i]), static_cast<float>(wide.inputs[i].most) / 2.0f, 1.0f) << i;
        EXPECT_EQ(narrow.inputs[i].most, 127);
        EXPECT_NEAR(largest_integer(inputs[i], narrow.inputs[i]), 127.0f, 0.01f) << i;
    }
    EXPECT_GT(wide.least_cosine, narrow.least_cosine);
    EXPECT_EQ(wide.texts, static_cast<std::int64_t>(rows.size()));
    EXPECT_EQ(wide.tokens, tokens);
}

TEST(Int8Calibration, FileKeepsEveryBit) {
    const TemporaryDirectory directory;
    const Int8Scales scales = calibrated("bert");
    write_int8_scales(directory / "scales.json", scales);
    const Int8Scales read = read_int8_scales(directory / "scales.json");
    ASSERT_EQ(read.inputs.size(), scales.inputs.size());
    for (std::size_t i = 0; i < read.inputs.size(); ++i) {
        EXPECT_EQ(read.inputs[i].multipliers, scales.inputs[i].multipliers) << i;
        EXPECT_EQ(read.inputs[i].most, scales.inputs[i].most) << i;
    }
    EXPECT_EQ(read.identity(), scales.identity());
    EXPECT_EQ(read.least_cosine, scales.least_cosine);
}

TEST(Int8Calibration, RefusesWhatDoesNotFit) {
    const TemporaryDirectory directory;
    const Int8Scales scales = calibrated("bert");
    EXPECT_ERROR(vectors("xlm_roberta", scales, 1, 0), ExitCode::usage, "of a model with sha256");
    Int8Scales fewer = scales;
    fewer.inputs.pop_back();
    EXPECT_ERROR(vectors("bert", fewer, 1, 0), ExitCode::usage, "linears");
    Int8Scales narrower = scales;
    narrower.inputs[3].multipliers.pop_back();
    EXPECT_ERROR(vectors("bert", narrower, 1, 0), ExitCode::usage, "linear 3 have 47 multipliers, and its input 48 columns");

    write_int8_scales(directory / "scales.json", scales);
    const Json json = Json::parse(read_file(directory / "scales.json"));
    const auto expect_refused = [&](const Json& bad, const std::string& words) {
        write_durable(directory / "bad.json", bad.dump());
        EXPECT_ERROR(read_int8_scales(directory / "bad.json"), ExitCode::bad_data, words);
    };
    Json bad = json;
    bad["linears"][3]["multipliers"][5] = 0;
    expect_refused(bad, "linears[3]: multipliers[5]");
    bad["linears"][3]["multipliers"] = Json::array();
    expect_refused(bad, "linears[3]: multipliers: expected numbers");
    bad["linears"][3] = 7;
    expect_refused(bad, "linears[3]: expected an object or null");
    bad = json;
    bad["linears"][0]["most"] = 40000;
    expect_refused(bad, "linears[0]: most: expected 1 to 32639, found 40000");
    bad.erase("linears");
    expect_refused(bad, "linears");
    bad["format"] = "temper int8 scales 1";
    expect_refused(bad, "format \"temper int8 scales 1\", expected \"temper int8 scales 2\": make the file again");
}

}  // namespace
}  // namespace temper
