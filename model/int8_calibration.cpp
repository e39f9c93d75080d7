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

// Vectors of a model some of whose linears are 8-bit integers, beside its own.
class Comparison {
  public:
    Comparison(Stream& stream, const EmbeddingModel& model, EmbeddingModel::Options options, const TokenRows& rows)
        : stream_(stream), model_(model), options_(std::move(options)), rows_(rows), wanted_(vectors_of(stream, model, rows)) {}

    // Sets both cosines; gives the least.
    double judge(Int8Scales& scales) {
        options_.int8 = scales;
        const EmbeddingModel narrow(stream_, model_.path(), options_);
        const std::vector<float> got = vectors_of(stream_, narrow, rows_);
        const auto width = static_cast<std::size_t>(model_.dimensions());
        scales.least_cosine = 1.0;
        scales.mean_cosine = 0.0;
        for (std::size_t row = 0; row < rows_.size(); ++row) {
            const double near = cosine(wanted_.data() + row * width, got.data() + row * width, width);
            scales.least_cosine = near < scales.least_cosine || std::isnan(near) ? near : scales.least_cosine;
            scales.mean_cosine += near / static_cast<double>(rows_.size());
        }
        return scales.least_cosine;
    }

  private:
    Stream& stream_;
    const EmbeddingModel& model_;
    EmbeddingModel::Options options_;
    const TokenRows& rows_;
    std::vector<float> wanted_;
};

// The scales with the inputs of the first `count` of `order` alone.
Int8Scales only(const Int8Scales& all, const std::vector<std::size_t>& order, std::size_t count) {
    Int8Scales some = all;
    for (std::size_t i = count; i < order.size(); ++i) some.largest[order[i]] = 0.0f;
    return some;
}

}  // namespace

Int8Scales calibrate_int8(Stream& stream, const EmbeddingModel& model, const EmbeddingModel::Options& options, const TokenRows& rows, double least) {
    const Encoder* const encoder = model.transformer().encoder();
    if (!encoder) throw_error(ExitCode::usage, "{}: 8-bit integers are for encoders, and this is a decoder", model.path().string());
    if (encoder->dtype() != DType::f32 || stream.device() != Device::cpu) throw_error(ExitCode::usage, "a calibration runs in float32 on the CPU");
    Int8Scales all;
    all.model_sha256 = text_model_sha256(model.settings().transformer);
    all.texts = static_cast<std::int64_t>(rows.size());
    all.tokens = static_cast<std::int64_t>(rows.ids.size());
    all.largest.resize(Encoder::linears(encoder->config()));
    measure(stream, model, rows, all.largest);
    for (std::size_t i = 0; i < all.largest.size(); ++i)
        if (!(all.largest[i] > 0.0f) || !std::isfinite(all.largest[i]))
            throw_error(ExitCode::non_finite, "linear {} is given {} at most: the weights are damaged", i, all.largest[i]);

    Comparison comparison(stream, model, options, rows);
    std::vector<double> alone;
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < all.largest.size(); ++i) {
        Int8Scales one = all;
        one.largest.assign(all.largest.size(), 0.0f);
        one.largest[i] = all.largest[i];
        alone.push_back(comparison.judge(one));
        order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return alone[a] > alone[b]; });
    // The most of them: halving finds it, since each one more does harm.
    std::size_t good = 0, bad = order.size() + 1;
    Int8Scales best = only(all, order, 0);
    while (good + 1 < bad) {
        const std::size_t count = (good + bad) / 2;
        Int8Scales some = only(all, order, count);
        const bool accepted = comparison.judge(some) >= least;
        (accepted ? good : bad) = count;
        if (accepted) best = some;
    }
    if (good == 0) best.least_cosine = best.mean_cosine = alone[order.front()];
    return best;
}

}  // namespace temper
