#include "model/int8_calibration.h"

#include <algorithm>
#include <cmath>

#include "kernels/error.h"
#include "model/model_passes.h"

namespace temper {
namespace {

constexpr std::int64_t pass_tokens = 1024;

void measure(Stream& stream, const EmbeddingModel& model, const TokenRows& rows, std::vector<float>& largest) {
    const TextModel& transformer = model.transformer();
    std::int64_t tokens = pass_tokens;
    for (std::size_t row = 0; row < rows.size(); ++row) tokens = std::max(tokens, rows.length(row));
    EncoderActivations activations(stream.device(), transformer.encoder()->config(), DType::f32, tokens);
    activations.observe(largest);
    TokenPack pack(stream.device(), tokens);
    for (const auto& group : group_rows(rows, 0, rows.size(), pass_tokens))
        transformer.encoder()->forward(stream, pack.pack(stream, transformer, rows, {group.data(), group.size()}), activations);
}

std::vector<float> vectors_of(Stream& stream, const EmbeddingModel& model, const TokenRows& rows) {
    std::vector<float> vectors(rows.size() * static_cast<std::size_t>(model.dimensions()));
    ModelPasses<EmbeddingModel>(model, stream, 0).run_together(rows, vectors.data());
    return vectors;
}

double cosine(const float* a, const float* b, std::size_t n) {
    double ab = 0.0, aa = 0.0, bb = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
        ab += static_cast<double>(a[i]) * static_cast<double>(b[i]);
        aa += static_cast<double>(a[i]) * static_cast<double>(a[i]);
        bb += static_cast<double>(b[i]) * static_cast<double>(b[i]);
    }
    return ab / std::sqrt(aa * bb);
}

}  // namespace

Int8Scales calibrate_int8(Stream& stream, const EmbeddingModel& model, EmbeddingModel::Options options, const TokenRows& rows) {
    const Encoder* const encoder = model.transformer().encoder();
    if (!encoder) throw_error(ExitCode::usage, "{}: 8-bit integers are for encoders, and this is a decoder", model.path().string());
    if (encoder->dtype() != DType::f32 || stream.device() != Device::cpu) throw_error(ExitCode::usage, "a calibration runs in float32 on the CPU");
    Int8Scales scales;
    scales.model_sha256 = text_model_sha256(model.settings().transformer);
    scales.texts = static_cast<std::int64_t>(rows.size());
    scales.tokens = static_cast<std::int64_t>(rows.ids.size());
    scales.largest.resize(Encoder::linears(encoder->config()));
    measure(stream, model, rows, scales.largest);
    for (std::size_t i = 0; i < scales.largest.size(); ++i)
        if (!(scales.largest[i] > 0.0f) || !std::isfinite(scales.largest[i]))
            throw_error(ExitCode::non_finite, "linear {} is given {} at most: the weights are damaged", i, scales.largest[i]);

    options.int8 = scales;
    const EmbeddingModel narrow(stream, model.path(), options);
    const std::vector<float> wanted = vectors_of(stream, model, rows), got = vectors_of(stream, narrow, rows);
    const auto width = static_cast<std::size_t>(model.dimensions());
    scales.least_cosine = 1.0;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        const double near = cosine(wanted.data() + row * width, got.data() + row * width, width);
        scales.least_cosine = near < scales.least_cosine || std::isnan(near) ? near : scales.least_cosine;
        scales.mean_cosine += near / static_cast<double>(rows.size());
    }
    return scales;
}

}  // namespace temper
