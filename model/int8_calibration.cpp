#include "model/int8_calibration.h"

#include <algorithm>
#include <cmath>

#include "io/progress.h"
#include "io/tensors/tensor_source.h"
#include "kernels/error.h"
#include "model/model_passes.h"

namespace temper {
namespace {

constexpr std::int64_t pass_tokens = 1024;

// A column is divided by rms^of_input / largest weight^of_weight, which evens out what inputs and weights differ by.      [SmoothQuant: Xiao et al. 2023]
struct Smoothing {
    float of_input, of_weight;
    float room;  // for inputs beyond those of the calibration, in multiples of its largest
};

// With 16 bits an input's rounding is nothing beside a weight's, and columns that matter much get more of the weight's steps. With 8 bits columns with
// outliers must not take the steps of all others.
Smoothing smoothing_of(int input_bits) { return input_bits == 16 ? Smoothing{0.25f, 0.375f, 2.0f} : Smoothing{0.75f, 0.25f, 1.0f}; }

std::vector<InputColumns> measure(Stream& stream, const EmbeddingModel& model, const TokenRows& rows) {
    const TextModel& transformer = model.transformer();
    std::int64_t tokens = pass_tokens;
    for (std::size_t row = 0; row < rows.size(); ++row) tokens = std::max(tokens, rows.length(row));
    EncoderActivations activations(stream.device(), transformer.encoder()->config(), DType::f32, tokens);
    std::vector<InputColumns> inputs(Encoder::linears(transformer.encoder()->config()));
    activations.observe(inputs);
    TokenPack pack(stream.device(), tokens);
    for (const auto& group : group_rows(rows, 0, rows.size(), pass_tokens))
        transformer.encoder()->forward(stream, pack.pack(stream, transformer, rows, {group.data(), group.size()}), activations);
    return inputs;
}

// Columns without numbers count as those a thousandth of the usual.
Int8Input input_of(const InputColumns& columns, const std::vector<float>& weights, int input_bits) {
    const Smoothing smoothing = smoothing_of(input_bits);
    const std::size_t width = weights.size();
    std::vector<float> rms(width), divisors(width);
    for (std::size_t i = 0; i < width; ++i) rms[i] = static_cast<float>(std::sqrt(columns.squares[i] / static_cast<double>(columns.rows)));
    const float least_rms = 1e-3f * *std::max_element(rms.begin(), rms.end()),
                least_weight = 1e-3f * *std::max_element(weights.begin(), weights.end());
    float largest = 0.0f;
    for (std::size_t i = 0; i < width; ++i) {
        divisors[i] = std::pow(std::max(rms[i], least_rms), smoothing.of_input) / std::pow(std::max(weights[i], least_weight), smoothing.of_weight);
        largest = std::max(largest, columns.largest[i] / divisors[i]);
    }
    Int8Input input;
    input.most = input_bits == 16 ? Int8Linear::widest(static_cast<std::int64_t>(width)) : 127;
    const float whole = static_cast<float>(input.most) / (smoothing.room * largest);
    for (const float divisor : divisors) input.multipliers.push_back(whole / divisor);
    return input;
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
    for (std::size_t i = count; i < order.size(); ++i) some.inputs[order[i]] = {};
    return some;
}

Int8Scales measured(Stream& stream, const EmbeddingModel& model, const TokenRows& rows, int input_bits) {
    const Encoder& encoder = *model.transformer().encoder();
    Int8Scales all;
    all.model_sha256 = text_model_sha256(model.settings().transformer);
    all.texts = static_cast<std::int64_t>(rows.size());
    all.tokens = static_cast<std::int64_t>(rows.ids.size());
    const std::vector<InputColumns> inputs = measure(stream, model, rows);
    const auto weights = Encoder::largest_weights(*open_safetensors(model.settings().transformer), encoder.config());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        double sum = 0.0;
        for (const double squares : inputs[i].squares) sum += squares;
        if (!(sum > 0.0) || !std::isfinite(sum))
            throw_error(ExitCode::non_finite, "linear {} is given {} at most: the weights are damaged", i, std::sqrt(sum));
        all.inputs.push_back(input_of(inputs[i], weights[i], input_bits));
    }
    return all;
}

// As many as keep the cosine, the least harmful first.
Int8Scales choose(Comparison& comparison, const Int8Scales& all, double least) {
    std::vector<double> alone;
    std::vector<std::size_t> order;
    Progress progress("linears", static_cast<std::int64_t>(all.inputs.size()));
    for (std::size_t i = 0; i < all.inputs.size(); ++i) {
        Int8Scales one = all;
        one.inputs.assign(all.inputs.size(), {});
        one.inputs[i] = all.inputs[i];
        alone.push_back(comparison.judge(one));
        order.push_back(i);
        progress.update(static_cast<std::int64_t>(i + 1), 0);
    }
    progress.finish();
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return alone[a] > alone[b]; });
    // Halving finds how many, since each one more does harm.
    std::size_t good = 0, bad = order.size();
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

}  // namespace

Int8Scales calibrate_int8(Stream& stream, const EmbeddingModel& model, const EmbeddingModel::Options& options, const TokenRows& rows, double least,
                          int input_bits) {
    const Encoder* const encoder = model.transformer().encoder();
    if (!encoder) throw_error(ExitCode::usage, "{}: 8-bit integers are for encoders, and this is a decoder", model.path().string());
    if (encoder->dtype() != DType::f32 || stream.device() != Device::cpu) throw_error(ExitCode::usage, "a calibration runs in float32 on the CPU");
    Int8Scales all = measured(stream, model, rows, input_bits);
    Comparison comparison(stream, model, options, rows);
    return comparison.judge(all) >= least ? all : choose(comparison, all, least);
}

}  // namespace temper
