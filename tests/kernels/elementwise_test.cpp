// RMS norm, rotary embedding and gated units against double code, on every instruction set, in both dtypes; gradients by finite differences.
#include <functional>
#include <string>

#include "common.h"
#include "kernels/ops.h"

namespace temper::test {
namespace {

constexpr std::int64_t kWidths[] = {1, 2, 7, 8, 15, 16, 17, 33, 64, 100, 129, 576, 2088};

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

// Compares d_x with central differences of sum(f(x) * d_y), in float32.
void expect_gradient(Numbers& x, const Numbers& d_x, const Numbers& y, const Numbers& d_y, const std::function<void()>& f) {
    const auto loss = [&] {
        f();
        double sum = 0;
        for (std::int64_t r = 0; r < y.rows(); ++r)
            for (std::int64_t c = 0; c < y.columns(); ++c) sum += static_cast<double>(y.at(r, c)) * d_y.at(r, c);
        return sum;
    };
    for (std::int64_t r = 0; r < x.rows(); ++r)
        for (std::int64_t c = 0; c < x.columns(); ++c) {
            const float h = 0.01f, value = x.at(r, c);
            x.set(r, c, value + h);
            const double above = loss();
            x.set(r, c, value - h);
            const double below = loss();
            x.set(r, c, value);
            ASSERT_TRUE(close(d_x.at(r, c), (above - below) / (2.0 * h), 1e-3, 2e-3)) << r << " " << c << ": " << d_x.at(r, c);
        }
}

double rms(const Numbers& x, std::int64_t row, double epsilon) {
    double squares = 0;
    for (std::int64_t c = 0; c < x.columns(); ++c) squares += static_cast<double>(x.at(row, c)) * x.at(row, c);
    return std::sqrt(squares / static_cast<double>(x.columns()) + epsilon);
}

TEST(rms_norm, agrees_with_the_twin) {
    for_all([](DType dtype, Isa isa, std::int64_t width) {
        Random random(static_cast<std::uint64_t>(width));
        Numbers x(dtype, 5, width, width + 3), y(dtype, 5, width), weight(DType::f32, 1, width);
        x.random(random, 3.0f), weight.random(random);
        TestStream stream(1, isa);
        ops::rms_norm(stream, y.view(), x.view(), weight.flat(), 1e-5f);
        for (std::int64_t r = 0; r < 5; ++r)
            for (std::int64_t c = 0; c < width; ++c)
                ASSERT_TRUE(close(y.at(r, c), x.at(r, c) / rms(x, r, 1e-5) * weight.at(0, c), 1e-7, tolerance(dtype)));
    });
}

TEST(rms_norm, backward_agrees_with_the_twin_and_adds_the_residual) {
    for_all([](DType dtype, Isa isa, std::int64_t width) {
        Random random(static_cast<std::uint64_t>(width) + 77);
        Numbers x(dtype, 4, width), d_y(dtype, 4, width, width + 5), weight(DType::f32, 1, width), d_x(dtype, 4, width), bypass(dtype, 4, width);
        x.random(random, 3.0f), d_y.random(random), weight.random(random), bypass.random(random);
        Numbers in_place = bypass;
        TestStream stream(1, isa);
        ops::rms_norm_backward(stream, d_x.view(), d_y.view(), x.view(), weight.flat(), 1e-5f, bypass.view());
        for (std::int64_t r = 0; r < 4; ++r) {
            const double root = rms(x, r, 1e-5);
            double mean = 0;
            for (std::int64_t c = 0; c < width; ++c)
                mean += static_cast<double>(d_y.at(r, c)) * weight.at(0, c) * x.at(r, c) / root / static_cast<double>(width);
            for (std::int64_t c = 0; c < width; ++c) {
                const double expected = (static_cast<double>(d_y.at(r, c)) * weight.at(0, c) - x.at(r, c) / root * mean) / root + bypass.at(r, c);
                ASSERT_TRUE(close(d_x.at(r, c), expected, 2e-6, tolerance(dtype))) << d_x.at(r, c) << " " << expected;
            }
        }
        ops::rms_norm_backward(stream, in_place.view(), d_y.view(), x.view(), weight.flat(), 1e-5f, in_place.view());
        EXPECT_TRUE(in_place == d_x);
    });
}

TEST(rms_norm, adds_the_residual_and_norms_heads_one_by_one) {
    for_all([](DType dtype, Isa isa, std::int64_t width) {
        const std::int64_t heads = 3;
        Random random(static_cast<std::uint64_t>(width) + 9);
        Numbers x(dtype, 4, heads * width, heads * width + 5), y(dtype, 4, heads * width), d_y(dtype, 4, heads * width), d_x(dtype, 4, heads * width);
        Numbers weight(DType::f32, 1, width), one(dtype, 1, width), out(dtype, 1, width), d_one(dtype, 1, width), d_out(dtype, 1, width);
        x.random(random, 3.0f), weight.random(random), d_y.random(random);
        TestStream stream(2, isa), single(1, isa);
        ops::rms_norm(stream, y.heads(heads), x.heads(heads), weight.flat(), 1e-5f);
        ops::rms_norm_backward(stream, d_x.heads(heads), d_y.heads(heads), x.heads(heads), weight.flat(), 1e-5f, {});
        Numbers residual(dtype, 1, width), sum(dtype, 1, width);
        residual.random(random);
        for (std::int64_t r = 0; r < 4; ++r)
            for (std::int64_t h = 0; h < heads; ++h) {
                for (std::int64_t c = 0; c < width; ++c) one.set(0, c, x.at(r, h * width + c)), d_one.set(0, c, d_y.at(r, h * width + c));
                ops::rms_norm(single, out.view(), one.view(), weight.flat(), 1e-5f);
                ops::rms_norm_backward(single, d_out.view(), d_one.view(), one.view(), weight.flat(), 1e-5f, {});
                ops::rms_norm(single, sum.view(), one.view(), weight.flat(), 1e-5f, residual.view());
                for (std::int64_t c = 0; c < width; ++c) {
                    ASSERT_EQ(out.bits(0, c), y.bits(r, h * width + c));
                    ASSERT_EQ(d_out.bits(0, c), d_x.bits(r, h * width + c));
                    const double norm = static_cast<double>(one.at(0, c)) / rms(one, 0, 1e-5) * weight.at(0, c);
                    ASSERT_TRUE(close(sum.at(0, c), norm + residual.at(0, c), 3 * tolerance(dtype), tolerance(dtype)));
                }
            }
    });
}

TEST(rms_norm, gradient_by_finite_differences) {
    for (const Isa isa : isas()) {
        Random random(5);
        Numbers x(DType::f32, 2, 19), y(DType::f32, 2, 19), d_x(DType::f32, 2, 19), d_y(DType::f32, 2, 19), weight(DType::f32, 1, 19);
        x.random(random), d_y.random(random), weight.random(random);
        TestStream stream(1, isa);
        ops::rms_norm_backward(stream, d_x.view(), d_y.view(), x.view(), weight.flat(), 1e-5f, {});
        expect_gradient(x, d_x, y, d_y, [&] { ops::rms_norm(stream, y.view(), x.view(), weight.flat(), 1e-5f); });
    }
}

TEST(rms_norm, says_what_is_wrong) {
    TestStream stream(1);
    Numbers x(DType::f32, 2048, 896), weight(DType::f32, 1, 576);
    try {
        ops::rms_norm(stream, x.view(), x.view(), weight.flat(), 1e-5f);
        FAIL();
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "rms_norm: weight has shape (576), expected (896), the last dimension of x (2048, 896)");
    }
}

TEST(rope, agrees_with_the_twin_and_turns_back) {
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const Isa isa : isas())
            for (const std::int64_t d : {2, 6, 16, 34, 64, 80, 128}) {
                Random random(static_cast<std::uint64_t>(d));
                const std::int64_t tokens = 9, heads = 3, half = d / 2;
                Numbers x(dtype, tokens, heads * d, heads * d + 10), cosine(DType::f32, 20, half), sine(DType::f32, 20, half);
                x.random(random);
                Vector<std::int32_t> positions;
                for (std::int32_t i = 0; i < tokens; ++i) positions.push_back(i * 7 % 20);
                for (std::int64_t p = 0; p < 20; ++p)
                    for (std::int64_t i = 0; i < half; ++i) {
                        const double angle = static_cast<double>(p) * std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(d));
                        cosine.set(p, i, static_cast<float>(std::cos(angle))), sine.set(p, i, static_cast<float>(std::sin(angle)));
                    }
                Numbers turned = x;
                TestStream stream(1, isa);
                const View where = view_of(positions);
                ops::rope(stream, turned.heads(heads), where, {cosine.view(), sine.view()}, false);
                for (std::int64_t t = 0; t < tokens; ++t)
                    for (std::int64_t h = 0; h < heads; ++h)
                        for (std::int64_t i = 0; i < half; ++i) {
                            const std::int64_t p = positions[static_cast<std::size_t>(t)];
                            const double a = x.at(t, h * d + i), b = x.at(t, h * d + half + i), c = cosine.at(p, i), s = sine.at(p, i);
                            ASSERT_TRUE(close(turned.at(t, h * d + i), a * c - b * s, 1e-6, tolerance(dtype)));
                            ASSERT_TRUE(close(turned.at(t, h * d + half + i), b * c + a * s, 1e-6, tolerance(dtype)));
                        }
                ops::rope(stream, turned.heads(heads), where, {cosine.view(), sine.view()}, true);
                for (std::int64_t t = 0; t < tokens; ++t)
                    for (std::int64_t i = 0; i < heads * d; ++i) ASSERT_TRUE(close(turned.at(t, i), x.at(t, i), 3 * tolerance(dtype), 0));
            }
}

TEST(rope, turns_the_first_numbers_of_a_head_as_a_head_of_that_size) {
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const Isa isa : isas())
            for (const std::int64_t pairs : {1, 6, 24, 48}) {
                const std::int64_t d = 128, heads = 2, tokens = 5;
                Random random(static_cast<std::uint64_t>(pairs));
                Numbers x(dtype, tokens, heads * d), part(dtype, tokens, heads * 2 * pairs), cosine(DType::f32, 9, pairs), sine(DType::f32, 9, pairs);
                x.random(random), cosine.random(random), sine.random(random);
                for (std::int64_t t = 0; t < tokens; ++t)
                    for (std::int64_t h = 0; h < heads; ++h)
                        for (std::int64_t i = 0; i < 2 * pairs; ++i) part.set(t, h * 2 * pairs + i, x.at(t, h * d + i));
                Vector<std::int32_t> positions = {0, 8, 3, 5, 1};
                const View where = view_of(positions);
                Numbers turned = x;
                TestStream stream(1, isa);
                ops::rope(stream, turned.heads(heads), where, {cosine.view(), sine.view()}, false);
                ops::rope(stream, part.heads(heads), where, {cosine.view(), sine.view()}, false);
                for (std::int64_t t = 0; t < tokens; ++t)
                    for (std::int64_t i = 0; i < heads * d; ++i) {
                        const std::int64_t h = i / d, e = i % d;
                        const std::uint32_t wanted = e < 2 * pairs ? part.bits(t, h * 2 * pairs + e) : x.bits(t, i);
                        ASSERT_EQ(turned.bits(t, i), wanted) << pairs << " " << t << " " << i;
                    }
            }
}

TEST(geglu, agrees_with_the_twin) {
    for_all([](DType dtype, Isa isa, std::int64_t width) {
        Random random(static_cast<std::uint64_t>(width) + 4);
        Numbers gate_up(dtype, 4, 2 * width, 2 * width + 6), activated(dtype, 4, width), d_activated(dtype, 4, width), d_gate_up(dtype, 4, 2 * width);
        gate_up.random(random, 6.0f), d_activated.random(random);
        TestStream stream(1, isa);
        ops::geglu(stream, activated.view(), gate_up.view());
        ops::geglu_backward(stream, d_gate_up.view(), d_activated.view(), gate_up.view());
        const double root = std::sqrt(2.0 / 3.14159265358979323846);
        for (std::int64_t r = 0; r < 4; ++r)
            for (std::int64_t c = 0; c < width; ++c) {
                const double g = gate_up.at(r, c), u = gate_up.at(r, width + c), d = d_activated.at(r, c);
                const double t = std::tanh(root * (g + 0.044715 * g * g * g)), slope = root * (1 + 3 * 0.044715 * g * g);
                // 1 + tanh cancels for large negative gates: the error is absolute.
                ASSERT_TRUE(close(activated.at(r, c), 0.5 * g * (1 + t) * u, 2e-6, tolerance(dtype))) << g << " " << u;
                ASSERT_TRUE(close(d_gate_up.at(r, c), d * u * (0.5 * (1 + t) + 0.5 * g * (1 - t * t) * slope), 2e-5, tolerance(dtype))) << g;
                ASSERT_TRUE(close(d_gate_up.at(r, width + c), d * 0.5 * g * (1 + t), 1e-6, tolerance(dtype))) << g;
            }
        Numbers in_place = gate_up;
        ops::geglu_backward(stream, in_place.view(), d_activated.view(), in_place.view());
        EXPECT_TRUE(in_place == d_gate_up);
    });
}

TEST(softcap, agrees_with_the_twin_and_keeps_small_logits) {
    for (const Isa isa : isas()) {
        Numbers x(DType::f32, 2, 203);
        for (std::int64_t c = 0; c < 203; ++c)
            x.set(0, c, static_cast<float>(std::pow(1.11, static_cast<double>(c - 101)))), x.set(1, c, -x.at(0, c));
        Numbers capped = x;
        TestStream stream(1, isa);
        ops::softcap(stream, capped.view(), 30.0f);
        for (std::int64_t r = 0; r < 2; ++r)
            for (std::int64_t c = 0; c < 203; ++c)
                ASSERT_TRUE(close(capped.at(r, c), 30.0 * std::tanh(x.at(r, c) / 30.0), 0, 5e-7)) << name_of(isa) << " " << x.at(r, c);
    }
}

TEST(scale, multiplies_rows) {
    for_all([](DType dtype, Isa isa, std::int64_t width) {
        Random random(5);
        Numbers x(dtype, 3, width, width + 2);
        x.random(random);
        Numbers scaled = x;
        TestStream stream(1, isa);
        ops::scale(stream, scaled.view(), 24.0f);
        for (std::int64_t r = 0; r < 3; ++r)
            for (std::int64_t c = 0; c < width; ++c) ASSERT_TRUE(close(scaled.at(r, c), 24.0 * x.at(r, c), 0, tolerance(dtype)));
    });
}

TEST(swiglu, agrees_with_the_twin) {
    for_all([](DType dtype, Isa isa, std::int64_t width) {
        Random random(static_cast<std::uint64_t>(width) + 3);
        Numbers gate_up(dtype, 4, 2 * width, 2 * width + 6), activated(dtype, 4, width), d_activated(dtype, 4, width), d_gate_up(dtype, 4, 2 * width);
        gate_up.random(random, 6.0f), d_activated.random(random);
        TestStream stream(1, isa);
        ops::swiglu(stream, activated.view(), gate_up.view());
        ops::swiglu_backward(stream, d_gate_up.view(), d_activated.view(), gate_up.view());
        for (std::int64_t r = 0; r < 4; ++r)
            for (std::int64_t c = 0; c < width; ++c) {
                const double g = gate_up.at(r, c), u = gate_up.at(r, width + c), d = d_activated.at(r, c), s = 1 / (1 + std::exp(-g));
                ASSERT_TRUE(close(activated.at(r, c), g * s * u, 1e-7, tolerance(dtype)));
                ASSERT_TRUE(close(d_gate_up.at(r, c), d * u * (s + g * s * (1 - s)), 2e-6, tolerance(dtype)));
                ASSERT_TRUE(close(d_gate_up.at(r, width + c), d * g * s, 1e-7, tolerance(dtype)));
            }
        Numbers in_place = gate_up;
        ops::swiglu_backward(stream, in_place.view(), d_activated.view(), in_place.view());
        EXPECT_TRUE(in_place == d_gate_up);
    });
}

TEST(swiglu, gradient_by_finite_differences) {
    for (const Isa isa : isas()) {
        Random random(6);
        Numbers x(DType::f32, 2, 38), y(DType::f32, 2, 19), d_x(DType::f32, 2, 38), d_y(DType::f32, 2, 19);
        x.random(random, 2.0f), d_y.random(random);
        TestStream stream(1, isa);
        ops::swiglu_backward(stream, d_x.view(), d_y.view(), x.view());
        expect_gradient(x, d_x, y, d_y, [&] { ops::swiglu(stream, y.view(), x.view()); });
    }
}

// The row law and threads: 300 rows in one call on two threads, and the same rows one by one.
TEST(rows, bits_depend_neither_on_the_batch_nor_on_threads) {
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const Isa isa : isas()) {
            const std::int64_t rows = 300, width = 100;
            Random random(8);
            Numbers x(dtype, rows, 2 * width), y(dtype, rows, 2 * width), weight(DType::f32, 1, 2 * width), d(dtype, rows, width),
                a(dtype, rows, width), d_x(dtype, rows, 2 * width), d_g(dtype, rows, 2 * width);
            x.random(random), weight.random(random), d.random(random);
            TestStream two(2, isa), one(1, isa);
            ops::rms_norm(two, y.view(), x.view(), weight.flat(), 1e-5f);
            ops::rms_norm_backward(two, d_x.view(), y.view(), x.view(), weight.flat(), 1e-5f, {});
            ops::swiglu(two, a.view(), x.view());
            ops::swiglu_backward(two, d_g.view(), d.view(), x.view());
            Numbers y1 = y, a1 = a, d_x1 = d_x, d_g1 = d_g;
            y1.fill(0), a1.fill(0), d_x1.fill(0), d_g1.fill(0);
            for (std::int64_t r = 0; r < rows; ++r) {
                ops::rms_norm(one, y1.view().rows(r, 1), x.view().rows(r, 1), weight.flat(), 1e-5f);
                ops::rms_norm_backward(one, d_x1.view().rows(r, 1), y.view().rows(r, 1), x.view().rows(r, 1), weight.flat(), 1e-5f, {});
                ops::swiglu(one, a1.view().rows(r, 1), x.view().rows(r, 1));
                ops::swiglu_backward(one, d_g1.view().rows(r, 1), d.view().rows(r, 1), x.view().rows(r, 1));
            }
            EXPECT_TRUE(y == y1 && a == a1 && d_x == d_x1 && d_g == d_g1) << name_of(isa) << " " << name_of(dtype);
        }
}

// Rows that begin anywhere in memory, on a line or between two.
TEST(rows, bits_do_not_depend_on_where_rows_begin) {
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const Isa isa : isas())
            for (const std::int64_t width : {8, 100, 128, 2100}) {
                Random random(8);
                const std::int64_t rows = 3;
                Numbers x(dtype, rows, 2 * width), y(dtype, rows, 2 * width), weight(DType::f32, 1, 2 * width), d(dtype, rows, width),
                    a(dtype, rows, width), d_x(dtype, rows, 2 * width), d_g(dtype, rows, 2 * width);
                x.random(random), weight.random(random), d.random(random);
                TestStream stream(1, isa);
                const auto all = [&](const View& of_x, const View& of_y, const View& of_a, const View& of_d_x, const View& of_d_g) {
                    ops::rms_norm(stream, of_y, of_x, weight.flat(), 1e-5f);
                    ops::rms_norm_backward(stream, of_d_x, of_y, of_x, weight.flat(), 1e-5f, {});
                    ops::swiglu(stream, of_a, of_x);
                    ops::swiglu_backward(stream, of_d_g, d.view(), of_x);
                };
                all(x.view(), y.view(), a.view(), d_x.view(), d_g.view());
                Numbers wide(dtype, rows, 10 * width + 20);
                const std::int64_t first[] = {1, 2 * width + 4, 4 * width + 5, 6 * width + 6, 8 * width + 9};
                for (std::int64_t r = 0; r < rows; ++r)
                    for (std::int64_t c = 0; c < 2 * width; ++c) wide.set(r, first[0] + c, x.at(r, c));
                const View view = wide.view();
                all(view.columns(first[0], 2 * width), view.columns(first[1], 2 * width), view.columns(first[2], width),
                    view.columns(first[3], 2 * width), view.columns(first[4], 2 * width));
                for (std::int64_t r = 0; r < rows; ++r)
                    for (std::int64_t c = 0; c < 2 * width; ++c) {
                        ASSERT_EQ(wide.bits(r, first[1] + c), y.bits(r, c)) << name_of(isa) << " " << width << " " << c;
                        ASSERT_EQ(wide.bits(r, first[3] + c), d_x.bits(r, c)) << name_of(isa) << " " << width << " " << c;
                        ASSERT_EQ(wide.bits(r, first[4] + c), d_g.bits(r, c)) << name_of(isa) << " " << width << " " << c;
                        if (c >= width) continue;
                        ASSERT_EQ(wide.bits(r, first[2] + c), a.bits(r, c)) << name_of(isa) << " " << width << " " << c;
                    }
            }
}

}  // namespace
}  // namespace temper::test
