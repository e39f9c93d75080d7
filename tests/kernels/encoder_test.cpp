// Layer norm, functions of single numbers, sums of embeddings, pooling and normalisation against double code, on every instruction set, in both
// dtypes; a row alone has the bits of the row in a batch; the epilogues of linear have those of the ops.
#include <functional>
#include <string>
#include <thread>

#include "kernels/ops.h"
#include "tests/kernels/linear_support.h"

namespace temper::test {
namespace {

constexpr std::int64_t kWidths[] = {1, 2, 7, 8, 15, 16, 17, 33, 64, 100, 129, 384, 2088};

double tolerance(DType dtype) { return dtype == DType::f32 ? 2e-6 : 4.1e-3; }

// Every dtype, instruction set and width.
void for_all(const std::function<void(DType, Isa, std::int64_t)>& body) {
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const Isa isa : isas())
            for (const std::int64_t width : kWidths) {
                SCOPED_TRACE(std::string(name_of(isa)) + " " + name_of(dtype) + " width " + std::to_string(width));
                body(dtype, isa, width);
            }
}

struct Norm {
    Numbers weight, bias;
    Norm(std::int64_t width, Random& random) : weight(DType::f32, 1, width), bias(DType::f32, 1, width) {
        weight.random(random), bias.random(random);
    }
    void operator()(Stream& stream, const View& y, const View& x, const View& residual = {}) {
        ops::layer_norm(stream, y, x, weight.flat(), bias.flat(), 1e-12f, residual);
    }
};

TEST(layer_norm, agrees_with_the_twin) {
    for_all([](DType dtype, Isa isa, std::int64_t width) {
        Random random(static_cast<std::uint64_t>(width));
        Numbers x(dtype, 5, width, width + 3), y(dtype, 5, width), residual(dtype, 5, width, width + 8), sum(dtype, 5, width);
        x.random(random, 3.0f), residual.random(random, 2.0f);
        for (std::int64_t c = 0; c < width; ++c) x.set(1, c, 100.0f + x.at(1, c));  // far from 0: one pass over squares would lose it
        Norm norm(width, random);
        TestStream stream(1, isa);
        norm(stream, y.view(), x.view());
        norm(stream, sum.view(), x.view(), residual.view());
        for (std::int64_t r = 0; r < 5; ++r)
            for (const bool adds : {false, true}) {
                const auto z = [&](std::int64_t c) { return static_cast<double>(x.at(r, c)) + (adds ? residual.at(r, c) : 0.0f); };
                double mean = 0, variance = 0, size = 0;
                for (std::int64_t c = 0; c < width; ++c) mean += z(c) / static_cast<double>(width), size = std::max(size, std::abs(z(c)));
                for (std::int64_t c = 0; c < width; ++c) variance += (z(c) - mean) * (z(c) - mean) / static_cast<double>(width);
                if (width == 1) variance = 1;  // the mean away from one number is rounding
                for (std::int64_t c = 0; c < width; ++c) {
                    const double normal = width == 1 ? 0 : (z(c) - mean) / std::sqrt(variance + 1e-12);
                    const double wanted = normal * norm.weight.at(0, c) + norm.bias.at(0, c);
                    const double slack = 4e-7 * size / std::sqrt(variance) + 2e-6;
                    ASSERT_TRUE(close((adds ? sum : y).at(r, c), wanted, slack, tolerance(dtype))) << r << " " << c << " " << wanted;
                }
            }
        Numbers over_x = x, over_residual = residual;
        norm(stream, over_x.view(), over_x.view(), residual.view());
        norm(stream, over_residual.view(), x.view(), over_residual.view());
        EXPECT_TRUE(over_x == sum && over_residual == sum);
    });
}

TEST(layer_norm, a_row_alone_has_the_bits_of_the_batch) {
    for_all([](DType dtype, Isa isa, std::int64_t width) {
        Random random(3);
        const std::int64_t n = 131;
        Numbers x(dtype, n, width, width + 3), y(dtype, n, width), alone(dtype, 1, width), one(dtype, 1, width, width + 1);
        x.random(random, 3.0f);
        Norm norm(width, random);
        TestStream stream(2, isa), single(1, isa);
        norm(stream, y.view(), x.view());
        for (const std::int64_t r : {std::int64_t{0}, std::int64_t{17}, n - 1}) {
            for (std::int64_t c = 0; c < width; ++c) one.set(0, c, x.at(r, c));
            norm(single, alone.view(), one.view());
            ASSERT_TRUE(alone.row_equals(0, y, r));
        }
    });
}

TEST(layer_norm, says_what_is_wrong) {
    TestStream stream(1);
    Numbers x(DType::f32, 20, 384), weight(DType::f32, 1, 384), bias(DType::f32, 1, 383);
    try {
        ops::layer_norm(stream, x.view(), x.view(), weight.flat(), bias.flat(), 1e-5f);
        FAIL();
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "layer_norm: bias has shape (383), expected (384), the last dimension of x (20, 384)");
    }
}

constexpr Pointwise kFunctions[] = {Pointwise::gelu, Pointwise::gelu_tanh, Pointwise::relu, Pointwise::tanh};

double twin(Pointwise function, double x) {
    switch (function) {
        case Pointwise::gelu: return x / 2 * std::erfc(-x / std::sqrt(2.0));
        case Pointwise::gelu_tanh: return x / 2 * (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
        case Pointwise::relu: return std::max(x, 0.0);
        case Pointwise::tanh: return std::tanh(x);
    }
    return 0;
}

TEST(pointwise, agrees_with_the_twin) {
    for (const Pointwise function : kFunctions)
        for_all([function](DType dtype, Isa isa, std::int64_t width) {
            Random random(static_cast<std::uint64_t>(width) + 4);
            Numbers x(dtype, 4, width, width + 6);
            x.random(random, 7.0f);
            Numbers y = x;
            TestStream stream(1, isa);
            ops::pointwise(stream, y.view(), function);
            for (std::int64_t r = 0; r < 4; ++r)
                for (std::int64_t c = 0; c < width; ++c)
                    ASSERT_TRUE(close(y.at(r, c), twin(function, x.at(r, c)), 1e-6, tolerance(dtype))) << x.at(r, c) << " " << y.at(r, c);
        });
}

// y = x/2 (1 + erf(x / sqrt 2)): erf is the number beside the rounding of y that may be wrong. A device's erfcf takes approximations of 1/x and 2^x.
TEST(pointwise, gelu_has_erf_within_1e_7) {
    const double erf_error = kDevice == Device::cuda ? 2e-7 : 1e-7;
    for (const Isa isa : isas()) {
        const std::int64_t n = 20001;
        Numbers x(DType::f32, 1, n);
        for (std::int64_t c = 0; c < n; ++c) x.set(0, c, static_cast<float>(c - n / 2) * 7e-4f);
        Numbers y = x;
        TestStream stream(1, isa);
        ops::pointwise(stream, y.view(), Pointwise::gelu);
        for (std::int64_t c = 0; c < n; ++c) {
            const double at = x.at(0, c);
            ASSERT_TRUE(close(y.at(0, c), twin(Pointwise::gelu, at), erf_error * std::abs(at) / 2 + 1e-30, 1.2e-7)) << name_of(isa) << " " << at;
        }
    }
}

TEST(pointwise, limits) {
    const float infinity = std::numeric_limits<float>::infinity();
    for (const Isa isa : isas())
        for (const Pointwise function : {Pointwise::gelu, Pointwise::relu}) {
            Numbers x(DType::f32, 1, 9);
            const float values[] = {0.0f, 40.0f, -40.0f, 3e38f, -3e38f, infinity, quiet_nan(), -1e-30f, -infinity};
            for (std::int64_t c = 0; c < 9; ++c) x.set(0, c, values[c]);
            TestStream stream(1, isa);
            ops::pointwise(stream, x.view(), function);
            EXPECT_EQ(x.at(0, 0), 0.0f);
            EXPECT_EQ(x.at(0, 1), 40.0f);
            EXPECT_EQ(x.at(0, 2), 0.0f);
            EXPECT_EQ(x.at(0, 3), 3e38f);
            EXPECT_EQ(x.at(0, 4), 0.0f);
            EXPECT_EQ(x.at(0, 5), infinity);
            EXPECT_TRUE(std::isnan(x.at(0, 6)));
            EXPECT_LT(std::abs(x.at(0, 7)), 1e-30f);
            EXPECT_EQ(x.at(0, 8), 0.0f);
        }
}

TEST(embedding_sum, agrees_with_the_twin) {
    for_all([](DType dtype, Isa isa, std::int64_t width) {
        Random random(static_cast<std::uint64_t>(width));
        const std::int64_t n = 37;
        Numbers words(dtype, 50, width, width + 1), positions(dtype, 40, width), types(dtype, 2, width, width + 9);
        words.random(random), positions.random(random), types.random(random);
        Vector<std::int32_t> word, position, type;
        for (std::int32_t i = 0; i < n; ++i) word.push_back(i * 7 % 50), position.push_back(i % 40), type.push_back(i % 3 / 2);
        const std::vector<ops::EmbeddingPart> parts = {
            {view_of(word), words.view()}, {view_of(position), positions.view()}, {view_of(type), types.view()}};
        for (std::size_t count = 1; count <= 3; ++count) {
            Numbers out(dtype, n, width, width + 2);
            TestStream stream(2, isa);
            ops::embedding_sum(stream, out.view(), Span<const ops::EmbeddingPart>(parts.data(), count));
            for (std::int64_t i = 0; i < n; ++i)
                for (std::int64_t c = 0; c < width; ++c) {
                    float sum = words.at(word[static_cast<std::size_t>(i)], c);
                    if (count > 1) sum += positions.at(position[static_cast<std::size_t>(i)], c);
                    if (count > 2) sum += types.at(type[static_cast<std::size_t>(i)], c);
                    ASSERT_EQ(out.at(i, c), dtype == DType::f32 ? sum : from_bf16(to_bf16(sum)));
                }
        }
    });
}

TEST(embedding_sum, says_what_is_wrong) {
    TestStream stream(1);
    Numbers table(DType::f32, 3, 8), out(DType::f32, 2, 8);
    Vector<std::int32_t> ids = {1, 2};
    const std::vector<ops::EmbeddingPart> parts(5, {view_of(ids), table.view()});
    try {
        ops::embedding_sum(stream, out.view(), parts);
        FAIL();
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "embedding_sum: 5 parts, expected 1 to 4");
    }
}

constexpr ops::Pooling kPoolings[] = {
    ops::Pooling::cls, ops::Pooling::mean, ops::Pooling::max, ops::Pooling::last, ops::Pooling::mean_sqrt_length, ops::Pooling::weighted_mean};

double pooled(const Numbers& x, const Segment& s, std::int64_t column, ops::Pooling mode) {
    if (s.length == 0) return 0;
    double sum = 0, weighted = 0, top = -1e30;
    for (std::int64_t i = 0; i < s.length; ++i) {
        const double value = x.at(s.begin + i, column);
        sum += value, weighted += static_cast<double>(i + 1) * value, top = std::max(top, value);
    }
    const auto n = static_cast<double>(s.length);
    switch (mode) {
        case ops::Pooling::cls: return x.at(s.begin, column);
        case ops::Pooling::mean: return sum / n;
        case ops::Pooling::max: return top;
        case ops::Pooling::last: return x.at(s.begin + s.length - 1, column);
        case ops::Pooling::mean_sqrt_length: return sum / std::sqrt(n);
        case ops::Pooling::weighted_mean: return weighted / (n * (n + 1) / 2);
    }
    return 0;
}

TEST(pool, agrees_with_the_twin_and_a_segment_alone_has_the_same_bits) {
    const std::vector<Segment> segments = {{0, 1}, {1, 40}, {41, 0}, {45, 17}, {62, 257}};
    for_all([&](DType dtype, Isa isa, std::int64_t width) {
        Random random(static_cast<std::uint64_t>(width));
        Numbers x(dtype, 319, width, width + 3);
        x.random(random);
        TestStream stream(2, isa), single(1, isa);
        for (const ops::Pooling mode : kPoolings) {
            Numbers out(DType::f32, 5, width, width + 1), alone(DType::f32, 1, width);
            ops::pool(stream, out.view(), x.view(), segments, mode);
            for (std::size_t i = 0; i < segments.size(); ++i) {
                for (std::int64_t c = 0; c < width; ++c)
                    ASSERT_TRUE(close(out.at(static_cast<std::int64_t>(i), c), pooled(x, segments[i], c, mode), 4e-6, 1e-6)) << i << " " << c;
                if (segments[i].length == 0) continue;
                const std::vector<Segment> only = {{0, segments[i].length}};
                ops::pool(single, alone.view(), x.view().rows(segments[i].begin, segments[i].length), only, mode);
                ASSERT_TRUE(alone.row_equals(0, out, static_cast<std::int64_t>(i)));
            }
        }
    });
}

TEST(l2_normalize, agrees_with_the_twin) {
    for (const Isa isa : isas())
        for (const std::int64_t width : kWidths) {
            Random random(static_cast<std::uint64_t>(width));
            Numbers x(DType::f32, 19, width, width + 3), one(DType::f32, 1, width);
            x.random(random, 5.0f);
            for (std::int64_t c = 0; c < width; ++c) x.set(3, c, 0.0f), x.set(4, c, 1e-14f);
            Numbers y = x;
            TestStream stream(2, isa);
            ops::l2_normalize(stream, y.view());
            for (std::int64_t r = 0; r < 19; ++r) {
                double squares = 0;
                for (std::int64_t c = 0; c < width; ++c) squares += static_cast<double>(x.at(r, c)) * x.at(r, c), one.set(0, c, x.at(r, c));
                for (std::int64_t c = 0; c < width; ++c)
                    ASSERT_TRUE(close(y.at(r, c), x.at(r, c) / std::max(1e-12, std::sqrt(squares)), 1e-12, 1e-6)) << width << " " << r;
                ops::l2_normalize(stream, one.view());
                ASSERT_TRUE(one.row_equals(0, y, r));
            }
        }
}

// In every tiling of the product: few rows, a whole tile, more than that.
TEST(encoder_epilogues, have_the_bits_of_the_ops) {
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const Isa isa : isas())
            for (const std::int64_t n : {1, 13, 64, 131}) {
                const std::int64_t in = 40, out = 70;
                SCOPED_TRACE(std::string(name_of(isa)) + " " + name_of(dtype) + " rows " + std::to_string(n));
                Random random(8);
                TestStream stream(2, isa);
                Layer layer(stream, dtype, in, out, {}, true);
                Matrix x(dtype, n, in, 2), plain(dtype, n, out), y(dtype, n, out, 3), residual(dtype, n, out), sum(dtype, n, out),
                    normed(dtype, n, out), again(dtype, n, out, 1);
                x.randomize(1), residual.randomize(2);
                Norm norm(out, random);
                ops::linear(stream, plain.view(), x.view(), layer.prepared, View());
                for (const Pointwise function : kFunctions) {
                    ops::linear(stream, y.view(), x.view(), layer.prepared, View(), Epilogue::pointwise(function));
                    ops::copy(stream, again.view(), plain.view());
                    ops::pointwise(stream, again.view(), function);
                    for (std::int64_t r = 0; r < n; ++r) ASSERT_EQ(y.row_bytes(r), again.row_bytes(r));
                }
                ops::linear(stream, sum.view(), x.view(), layer.prepared, View(), Epilogue::add_residual(residual.view()));
                norm(stream, again.view(), sum.view());
                ops::linear(stream, residual.view(), x.view(), layer.prepared, View(),
                            Epilogue::add_residual_layer_norm(residual.view(), norm.weight.flat(), norm.bias.flat(), 1e-12f, normed.view()));
                for (std::int64_t r = 0; r < n; ++r) {
                    ASSERT_EQ(residual.row_bytes(r), sum.row_bytes(r));
                    ASSERT_EQ(normed.row_bytes(r), again.row_bytes(r));
                }
            }
}

// A batch shared out by sequences: every thread takes whole ones through all ops, on a stream of its own.
TEST(encoder_threads, streams_of_one_thread_side_by_side_give_the_same_bits) {
    if (kDevice == Device::cuda) GTEST_SKIP() << "of the CPU";
    const std::int64_t width = 48, heads = 4, inner = 96, sequences = 24;
    for (const Isa isa : isas()) {
        Random random(6);
        TestStream stream(1, isa);
        const auto prepare = [&](std::int64_t out, std::int64_t in) {
            Numbers weight(DType::f32, out, in);
            weight.random(random, 0.3f);
            const std::vector<View> parts = {weight.view()};
            PreparedLinear::Options options;
            options.backward = false, options.panels = true;
            return PreparedLinear(stream, parts, View(), {}, options);
        };
        const PreparedLinear qkv = prepare(3 * width, width), up = prepare(inner, width), down = prepare(width, inner);
        const Norm norm(width, random);
        std::vector<Segment> all;
        std::int64_t n = 0;
        for (std::int64_t i = 0; i < sequences; n += all.back().length, ++i) all.push_back({n, 1 + i * 5 % 37, n, 0, 0, 0});
        Numbers x(DType::f32, n, width);
        x.random(random);
        const auto layer = [&](Stream& own, const View& rows, const View& pooled, Span<const Segment> segments) {
            Numbers projected(DType::f32, rows.size(0), 3 * width), seen(DType::f32, rows.size(0), width), wide(DType::f32, rows.size(0), inner),
                sum(DType::f32, rows.size(0), width), out(DType::f32, rows.size(0), width);
            Norm normed = norm;
            const auto part = [&](std::int64_t i) {
                return projected.view().columns(i * width, width).reshape({rows.size(0), heads, width / heads});
            };
            AttentionRule rule{0.3f};
            rule.causal = false;
            ops::linear(own, projected.view(), rows, qkv, View());
            ops::attention(own, seen.heads(heads), {}, part(0), part(1), part(2), segments, rule);
            ops::linear(own, wide.view(), seen.view(), up, View(), Epilogue::pointwise(Pointwise::gelu));
            ops::linear(own, sum.view(), wide.view(), down, View(),
                        Epilogue::add_residual_layer_norm(rows, normed.weight.flat(), normed.bias.flat(), 1e-12f, out.view()));
            ops::pool(own, pooled, out.view(), segments, ops::Pooling::mean);
            ops::l2_normalize(own, pooled);
        };
        Numbers together(DType::f32, sequences, width), apart(DType::f32, sequences, width);
        layer(stream, x.view(), together.view(), all);
        const View rows = x.view(), results = apart.view();
        std::vector<std::thread> threads;
        for (std::int64_t t = 0; t < 4; ++t)
            threads.emplace_back([&, t] {
                TestStream own(1, isa);
                for (std::int64_t i = t; i < sequences; i += 4) {
                    const Segment& s = all[static_cast<std::size_t>(i)];
                    const std::vector<Segment> only = {{0, s.length, 0, 0, 0, 0}};
                    layer(own, rows.rows(s.begin, s.length), results.rows(i, 1), only);
                }
            });
        for (std::thread& thread : threads) thread.join();
        EXPECT_TRUE(apart == together) << name_of(isa);
    }
}

}  // namespace
}  // namespace temper::test
