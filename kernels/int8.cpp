// The boundary of the 8-bit linear layer: weights become integers here, arguments are checked, then the device is chosen.
#include "kernels/int8.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/check.h"
#include "kernels/op_table.h"
#include "kernels/prepared.h"

namespace temper {
namespace {

constexpr std::int64_t kMostDepth = 131072;  // whose sums of 127 * 127 fit 32 bits

float number(const View& view, std::int64_t row, std::int64_t column) {
    return view.dtype == DType::bf16 ? from_bf16(view.row<bf16>(row)[column]) : view.row<float>(row)[column];
}

void check_input(const char* op, const Int8Input& input, std::int64_t in) {
    if (static_cast<std::int64_t>(input.multipliers.size()) != in)
        throw_error(ExitCode::internal, "{}: {} multipliers, expected {}, the width of the weights", op, input.multipliers.size(), in);
    for (const float multiplier : input.multipliers)
        if (!(multiplier > 0.0f) || !std::isfinite(multiplier))
            throw_error(ExitCode::internal, "{}: a multiplier of the input is {}, expected a positive number", op, multiplier);
    if (input.most < 1 || input.most > Int8Linear::widest(in))
        throw_error(ExitCode::internal, "{}: inputs of at most {}, expected 1 to {}", op, input.most, Int8Linear::widest(in));
}

}  // namespace

Int8Rows int8_rows(Span<const View> weights, Span<const float> multipliers) {
    Int8Rows rows;
    for (const View& part : weights)
        for (std::int64_t row = 0; row < part.size(0); ++row) {
            const auto divided = [&](std::int64_t k) { return number(part, row, k) / multipliers[static_cast<std::size_t>(k)]; };
            float largest = 0.0f;
            for (std::int64_t k = 0; k < part.size(1); ++k) largest = std::max(largest, std::abs(divided(k)));
            const float scale = largest > 0.0f ? largest / 127.0f : 1.0f;
            rows.scales.push_back(scale);
            for (std::int64_t k = 0; k < part.size(1); ++k) {
                const float value = std::nearbyint(divided(k) / scale);
                rows.values.push_back(static_cast<std::int8_t>(std::clamp(value, -127.0f, 127.0f)));
            }
        }
    return rows;
}

Int8Linear::Int8Linear() = default;
Int8Linear::~Int8Linear() = default;
Int8Linear::Int8Linear(Int8Linear&&) noexcept = default;
Int8Linear& Int8Linear::operator=(Int8Linear&&) noexcept = default;

Int8Linear::Int8Linear(Stream& stream, Span<const View> weights, View bias, const Int8Input& input) : impl_(kernels_of(stream.device()).make_int8()) {
    const char* const op = "Int8Linear";
    if (weights.empty()) throw_error(ExitCode::internal, "{}: no weight was given", op);
    Impl& w = *impl_;
    w.in = weights[0].size(-1);
    w.most = input.most;
    for (const View& part : weights) {
        check::rank(op, "a weight", part, 2);
        check::floating(op, "a weight", part);
        check::shape(op, "a weight", part, {part.size(0), w.in}, "the width of the first");
        w.out += part.size(0);
    }
    if (w.in < 1 || w.in > kMostDepth) throw_error(ExitCode::internal, "{}: {} inputs, expected 1 to {}", op, w.in, kMostDepth);
    check_input(op, input, w.in);
    if (!bias.empty()) {
        check::dtype(op, "bias", bias, DType::f32);
        check::shape(op, "bias", bias, {w.out}, "the outputs of the weight");
    }
    w.has_bias = !bias.empty();
    const Span<const float> multipliers(input.multipliers.data(), input.multipliers.size());
    w.load(stream, int8_rows(weights, multipliers), multipliers.data(), bias);
}

std::int64_t Int8Linear::in() const { return impl_->in; }
std::int64_t Int8Linear::out() const { return impl_->out; }
std::int32_t Int8Linear::most() const { return impl_->most; }
std::size_t Int8Linear::bytes() const { return impl_->bytes(); }
std::int32_t Int8Linear::widest(std::int64_t in) {
    const std::int64_t fits = std::numeric_limits<std::int32_t>::max() / (127 * in);
    return static_cast<std::int32_t>(std::min<std::int64_t>(kWidestInput, fits));
}

namespace ops {

void linear(Stream& stream, View y, View x, const Int8Linear& weight, const Epilogue& epilogue) {
    const Int8Linear::Impl& w = weight.impl();
    const char* const op = "linear";
    check::rank(op, "x", x, 2);
    check::floating(op, "x", x);
    check::shape(op, "x", x, {x.size(0), w.in}, "the input of the weight");
    check::rows_contiguous(op, "x", x);
    check::dtype(op, "y", y, x.dtype);
    check::shape(op, "y", y, {x.size(0), w.out}, "the output of the weight for every row of x");
    check::rows_contiguous(op, "y", y);
    check_epilogue(y, epilogue);
    kernels_of(stream.device()).linear_int8(stream, y, x, w, epilogue);
}

}  // namespace ops
}  // namespace temper
