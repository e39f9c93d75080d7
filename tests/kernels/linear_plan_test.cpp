// A linear layer's gradients by finite differences, its bytes and its scratch as plans count them, and what it refuses.
#include <algorithm>

#include "tests/kernels/linear_support.h"

namespace temper {
namespace {

using test::expect_near;
using test::kBf16Step;
using test::kDevice;
using test::Layer;
using test::Matrix;
using test::TestStream;

// Central differences of sum(y * g) in float32; y is linear in each of x, A and B, so they are exact but for rounding.
TEST(LinearGradient, FiniteDifferences) {
    TestStream stream(2);
    Layer layer(stream, DType::f32, 25, 21, {{0, 9, 3}, {9, 12, 2}}, true);
    const std::int64_t n = 9;
    Matrix x(DType::f32, n, 25), y(DType::f32, n, 21), s(DType::f32, n, 5), g(DType::f32, n, 21), d_x(DType::f32, n, 25);
    Matrix gradients(DType::f32, 1, layer.parameters.columns());
    x.randomize(2);
    g.randomize(3);
    const auto objective = [&] {
        ops::linear(stream, y.view(), x.view(), layer.prepared, View());
        double sum = 0.0;
        for (std::int64_t r = 0; r < n; ++r)
            for (std::int64_t c = 0; c < 21; ++c) sum += static_cast<double>(y.at(r, c)) * g.at(r, c);
        return sum;
    };
    const auto slope = [&](Matrix& values, std::int64_t r, std::int64_t c) {
        const float value = values.at(r, c), step = 0.25f;
        values.set(r, c, value + step);
        layer.refresh(stream);
        const double above = objective();
        values.set(r, c, value - step);
        layer.refresh(stream);
        const double below = objective();
        values.set(r, c, value);
        layer.refresh(stream);
        return (above - below) / (2.0 * step);
    };
    ops::linear(stream, y.view(), x.view(), layer.prepared, s.view());
    const std::vector<Leaf> leaves = {{0, n}};
    ops::linear_backward(stream, d_x.view(), gradients.view(), g.view(), layer.prepared, x.view(), s.view(), leaves);
    for (std::int64_t r = 0; r < n; ++r)
        for (std::int64_t c = 0; c < 25; ++c) expect_near(d_x.at(r, c), slope(x, r, c), 2e-3, "d_x");
    for (std::int64_t p = 5; p < layer.parameters.columns(); ++p) expect_near(gradients.at(0, p), slope(layer.parameters, 0, p), 2e-3, "d_adapter");
}

TEST(PreparedLinear, CountsItsBytes) {
    TestStream stream(1);
    for (const DType dtype : {DType::f32, DType::bf16}) {
        Layer layer(stream, dtype, 576, 1536, {{0, 1536, 16}}, true);
        EXPECT_EQ(PreparedLinear::predict_bytes(dtype, 1536, 576, 16, true, {true, false, kDevice}), layer.prepared.bytes());
        const double ideal = 1536.0 * 576 * static_cast<double>(size_of(dtype));
        EXPECT_NEAR(static_cast<double>(layer.prepared.bytes()) / ideal, 1.0, 0.15);
        const bool one_layout = dtype == DType::f32 || kDevice == Device::cuda;  // for both directions
        EXPECT_LT(PreparedLinear::predict_bytes(dtype, 1536, 576, 16, true, {false, false, kDevice}), layer.prepared.bytes() + (one_layout ? 1 : 0));
    }
}

// The transposed weight goes through scratch of at most 32 MiB, strip by strip.
TEST(PreparedLinear, BackwardOfALargeWeightTakesTheScratchThatThePlanCounts) {
    const std::int64_t n = 3, in = 300, out = 70001;
    TestStream stream(2);
    Layer layer(stream, DType::bf16, in, out, {}, false);
    Matrix y(DType::bf16, n, out), d_x(DType::bf16, n, in, 5);
    y.randomize(22);
    ops::linear_backward(stream, d_x.view(), View(), y.view(), layer.prepared, View(), View(), {});
    EXPECT_TRUE(d_x.spare_untouched());
    EXPECT_LE(stream.scratch_bytes(), ops::linear_backward_scratch(test::kDevice, DType::bf16, n, out, in, 0, 1, {}));
    EXPECT_LE(stream.scratch_bytes(), std::size_t{36} << 20);
    for (const std::int64_t column : {std::int64_t{0}, std::int64_t{223}, std::int64_t{224}, in - 1}) {
        double sum = 0.0, size = 0.0;
        for (std::int64_t o = 0; o < out; ++o) {
            sum += static_cast<double>(y.at(1, o)) * layer.weight.at(o, column);
            size += std::abs(static_cast<double>(y.at(1, o)) * layer.weight.at(o, column));
        }
        expect_near(d_x.at(1, column), sum, std::abs(sum) * kBf16Step + size * 1e-5, "column " + std::to_string(column));
    }
}

// A CUDA device's scratch is what the plan counts, of either pass; on the CPU the forward pass takes a thread's, which nobody counts.
TEST(LinearScratch, IsNoMoreThanThePlanCounts) {
    if (kDevice == Device::cpu) GTEST_SKIP() << "of a CUDA device";
    const std::int64_t n = 1500, in = 96, out = 160, rank = 21;
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const bool dora : {false, true})
            for (const bool drops : {false, true}) {
                TestStream stream(1);
                Layer layer(stream, dtype, in, out, {{0, 100, 5}, {100, 60, 16}}, true, 1, dora);
                EXPECT_EQ(stream.scratch_bytes(), 0u);
                Arena arena(std::size_t{16} << 20, memory_of(stream.device()));
                const View x = arena.take(dtype, {n, in}), y = arena.take(dtype, {n, out}), s = arena.take(dtype, {n, rank}),
                           d_x = arena.take(dtype, {n, in}), gradients = arena.take(DType::f32, {2, layer.parameters.columns()});
                test::Vector<std::int32_t> numbers(static_cast<std::size_t>(n), 1);
                Dropout dropout;
                dropout.probability = drops ? 0.5f : 0.0f;
                dropout.rows = dropout.tokens = test::view_of(numbers);
                const std::vector<Leaf> leaves = {{0, 700}, {700, n - 700}};
                ops::linear(stream, y, x, layer.prepared, s, {}, dropout);
                ops::linear_backward(stream, d_x, gradients, y, layer.prepared, x, s, leaves, dropout);
                const std::size_t planned = ops::linear_backward_scratch(kDevice, dtype, n, out, in, rank, 1, {dora, drops});
                EXPECT_GT(stream.scratch_bytes(), 0u);
                EXPECT_LE(stream.scratch_bytes(), planned) << name_of(dtype) << dora << drops;
            }
}

TEST(LinearChecks, NameTheOpAndWhatItGot) {
    TestStream stream(1);
    Layer layer(stream, DType::f32, 24, 20, {{0, 20, 2}}, false);
    Matrix x(DType::f32, 4, 24), narrow(DType::f32, 4, 19), s(DType::f32, 4, 3);
    const auto message = [](const auto& call) {
        try {
            call();
        } catch (const Error& error) {
            return std::string(error.what());
        }
        return std::string("no error");
    };
    EXPECT_EQ(message([&] { ops::linear(stream, narrow.view(), x.view(), layer.prepared, View()); }),
              "linear: y is float32 (4, 19), expected float32 (4, 20), the output of the weight for every row of x");
    EXPECT_NE(message([&] { ops::linear(stream, x.view().columns(0, 20), x.view(), layer.prepared, s.view()); }).find("s is float32 (4, 3)"),
              std::string::npos);
    const std::vector<Leaf> gap = {{0, 2}, {3, 1}};
    Matrix d_y(DType::f32, 4, 20), gradients(DType::f32, 2, layer.parameters.columns()), kept(DType::f32, 4, 2);
    EXPECT_EQ(message([&] { ops::linear_backward(stream, View(), gradients.view(), d_y.view(), layer.prepared, x.view(), kept.view(), gap); }),
              "linear_backward: a leaf is [3, 4), expected to begin at 2");
}

}  // namespace
}  // namespace temper
