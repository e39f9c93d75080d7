// Scales of 8-bit encoders: what a calibration measures, its file, and vectors that depend on their text alone.
#include "model/int8_calibration.h"

#include <cmath>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "kernels/error.h"
#include "model/model_passes.h"
#include "tests/io/temporary_directory.h"

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

TEST(Int8Calibration, LargestInputsAreThoseOfTheTexts) {
    Stream stream(1);
    const EmbeddingModel model(stream, tiny("bert"), {});
    TokenRows all = texts_of(model), first;
    const Json golden = Json::parse(read_file(model.path() / "golden.json"));
    model.texts().add(golden["texts"][0].get<std::string>(), first);
    const Int8Scales few = calibrate_int8(stream, model, {}, first), many = calibrate_int8(stream, model, {}, all);
    ASSERT_EQ(few.largest.size(), Encoder::linears(model.transformer().encoder()->config()));
    bool grown = false;
    for (std::size_t i = 0; i < few.largest.size(); ++i) {
        EXPECT_LE(few.largest[i], many.largest[i]);
        grown = grown || few.largest[i] < many.largest[i];
    }
    EXPECT_TRUE(grown);
    EXPECT_EQ(few.texts, 1);
    EXPECT_EQ(few.tokens, static_cast<std::int64_t>(first.ids.size()));
}

TEST(Int8Calibration, FileKeepsEveryBit) {
    const testing::TemporaryDirectory directory;
    const Int8Scales scales = calibrated("bert");
    write_int8_scales(directory / "scales.json", scales);
    const Int8Scales read = read_int8_scales(directory / "scales.json");
    EXPECT_EQ(read.largest, scales.largest);
    EXPECT_EQ(read.identity(), scales.identity());
    EXPECT_EQ(read.least_cosine, scales.least_cosine);
}

TEST(Int8Calibration, RefusesWhatDoesNotFit) {
    const testing::TemporaryDirectory directory;
    const Int8Scales scales = calibrated("bert");
    EXPECT_ERROR(vectors("xlm_roberta", scales, 1, 0), ExitCode::usage, "of a model with sha256");
    Int8Scales fewer = scales;
    fewer.largest.pop_back();
    EXPECT_ERROR(vectors("bert", fewer, 1, 0), ExitCode::usage, "linears");

    write_int8_scales(directory / "scales.json", scales);
    Json json = Json::parse(read_file(directory / "scales.json"));
    json["largest"][3] = -1;
    write_durable(directory / "zero.json", json.dump());
    EXPECT_ERROR(read_int8_scales(directory / "zero.json"), ExitCode::bad_data, "largest[3]");
    json.erase("largest");
    write_durable(directory / "none.json", json.dump());
    EXPECT_ERROR(read_int8_scales(directory / "none.json"), ExitCode::bad_data, "largest");
}

}  // namespace
}  // namespace temper
