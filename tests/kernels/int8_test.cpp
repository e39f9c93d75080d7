// The linear layer of 8-bit integers: the same bits as plain code on every instruction set and device, in any company, with every epilogue.
#include "tests/kernels/linear_support.h"

#include "kernels/cpu/gemm_int8_amx_body.h"
#include "kernels/int8.h"
#include "tests/kernels/amx_emulated.h"

namespace temper::test {
namespace {

constexpr float kInputScale = 0.031f;

struct Layer8 {
    std::int64_t in, out;
    Matrix weight, bias;
    Int8Linear layer;
    Int8Rows rows;

    Layer8(Stream& stream, DType dtype, std::int64_t in_, std::int64_t out_, bool with_bias)
        : in(in_), out(out_), weight(dtype, out_, in_, 3), bias(DType::f32, 1, out_) {
        weight.randomize(1, 0.3f), bias.randomize(2);
        if (out > 2)
            for (std::int64_t k = 0; k < in; ++k) weight.set(2, k, 0.0f);
        const std::vector<View> parts = {weight.view().rows(0, out / 3), weight.view().rows(out / 3, out - out / 3)};
        layer = Int8Linear(stream, parts, with_bias ? View(bias.view().data, DType::f32, {out}, kDevice) : View(), kInputScale);
        rows = int8_rows(parts);
        if (!with_bias) bias = Matrix();
    }
    // Row r of y before an epilogue, as its definition has it.
    float plain(const Matrix& x, std::int64_t r, std::int64_t o) const {
        std::int64_t sum = 0;
        for (std::int64_t k = 0; k < in; ++k) {
            const float scaled = std::min(127.0f, std::max(-127.0f, x.at(r, k) * (1.0f / kInputScale)));
            sum += std::lrint(scaled) * rows.values[static_cast<std::size_t>(o * in + k)];
        }
        const float product = static_cast<float>(sum) * (rows.scales[static_cast<std::size_t>(o)] * kInputScale);
        return bias.rows() > 0 ? product + bias.at(0, o) : product;
    }
};

TEST(int8_linear, has_the_bits_of_plain_code) {
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const Isa isa : isas())
            for (const auto& [n, in, out, bias] : {std::tuple{1, 1, 1, false},
                                                   {5, 24, 20, true},
                                                   {13, 25, 37, false},
                                                   {70, 96, 80, true},
                                                   {131, 33, 15, true},
                                                   {67, 129, 130, true},
                                                   {20, 400, 32, false}}) {
                SCOPED_TRACE(std::string(name_of(isa)) + " " + name_of(dtype) + " rows " + std::to_string(n) + " in " + std::to_string(in));
                TestStream stream(2, isa);
                const Layer8 w(stream, dtype, in, out, bias);
                Matrix x(dtype, n, in, 7), y(dtype, n, out, 5);
                x.randomize(9, 2.0f);  // some beyond 127 scales
                twice(stream, [&] { ops::linear(stream, y.view(), x.view(), w.layer); });
                EXPECT_TRUE(y.spare_untouched());
                for (std::int64_t r = 0; r < n; ++r)
                    for (std::int64_t o = 0; o < out; ++o) {
                        const float wanted = w.plain(x, r, o);
                        ASSERT_EQ(y.at(r, o), dtype == DType::f32 ? wanted : from_bf16(to_bf16(wanted))) << r << " " << o;
                    }
            }
}

// Products of 127 * 127 that would not fit 16 bits, added up.
TEST(int8_linear, is_exact_at_its_limits) {
    for (const Isa isa : isas())
        for (const float sign : {1.0f, -1.0f}) {
            const std::int64_t n = 3, in = 5000, out = 33;
            TestStream stream(1, isa);
            Matrix weight(DType::f32, out, in), x(DType::f32, n, in), y(DType::f32, n, out);
            for (std::int64_t k = 0; k < in; ++k) {
                for (std::int64_t o = 0; o < out; ++o) weight.set(o, k, sign * 127.0f);
                for (std::int64_t r = 0; r < n; ++r) x.set(r, k, 1e9f);
            }
            const std::vector<View> parts = {weight.view()};
            const Int8Linear layer(stream, parts, View(), 1.0f);
            ops::linear(stream, y.view(), x.view(), layer);
            for (std::int64_t r = 0; r < n; ++r)
                for (std::int64_t o = 0; o < out; ++o) ASSERT_EQ(y.at(r, o), sign * 127.0f * 127.0f * 5000.0f) << name_of(isa);
        }
}

TEST(int8_linear, is_near_the_float_product) {
    TestStream stream(1);
    const std::int64_t n = 9, in = 384, out = 50;
    const Layer8 w(stream, DType::f32, in, out, true);
    Matrix x(DType::f32, n, in), y(DType::f32, n, out);
    x.randomize(5);
    ops::linear(stream, y.view(), x.view(), w.layer);
    double error = 0, size = 0;
    for (std::int64_t r = 0; r < n; ++r)
        for (std::int64_t o = 0; o < out; ++o) {
            double sum = w.bias.at(0, o);
            for (std::int64_t k = 0; k < in; ++k) sum += static_cast<double>(x.at(r, k)) * w.weight.at(o, k);
            error += (y.at(r, o) - sum) * (y.at(r, o) - sum), size += sum * sum;
        }
    EXPECT_LT(std::sqrt(error / size), 0.015);
}

TEST(int8_linear, rows_keep_their_bits_in_any_company) {
    const std::int64_t total = 200, in = 70, out = 100;
    for (const Isa isa : isas()) {
        TestStream stream(2, isa);
        const Layer8 w(stream, DType::f32, in, out, true);
        Matrix x(DType::f32, total, in, 2), whole(DType::f32, total, out);
        x.randomize(5);
        ops::linear(stream, whole.view(), x.view(), w.layer);
        for (const int threads : {1, 3}) {
            TestStream other(threads, isa);
            for (std::int64_t n = 1; n <= 70; ++n) {
                const std::int64_t first = (n * 37) % (total - n);
                Matrix y(DType::f32, n, out, 1);
                ops::linear(other, y.view(), x.view().rows(first, n), w.layer);
                for (std::int64_t r = 0; r < n; ++r) ASSERT_EQ(y.row_bytes(r), whole.row_bytes(first + r)) << r << " of " << n << " from " << first;
            }
        }
    }
}

TEST(int8_linear, epilogues_have_the_bits_of_the_ops) {
    const std::int64_t in = 40, out = 70;
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const Isa isa : isas())
            for (const std::int64_t n : {1, 13, 131}) {
                SCOPED_TRACE(std::string(name_of(isa)) + " " + name_of(dtype) + " rows " + std::to_string(n));
                TestStream stream(2, isa);
                const Layer8 w(stream, dtype, in, out, true);
                Matrix x(dtype, n, in, 2), plain(dtype, n, out), y(dtype, n, out, 3), residual(dtype, n, out), sum(dtype, n, out),
                    normed(dtype, n, out), again(dtype, n, out, 1), weight(DType::f32, 1, out), bias(DType::f32, 1, out);
                x.randomize(1), residual.randomize(2), weight.randomize(3), bias.randomize(4);
                const auto flat = [out](Matrix& row) { return View(row.view().data, DType::f32, {out}, kDevice); };
                ops::linear(stream, plain.view(), x.view(), w.layer);
                for (const Pointwise function : {Pointwise::gelu, Pointwise::gelu_tanh, Pointwise::relu, Pointwise::tanh}) {
                    ops::linear(stream, y.view(), x.view(), w.layer, Epilogue::pointwise(function));
                    ops::copy(stream, again.view(), plain.view());
                    ops::pointwise(stream, again.view(), function);
                    for (std::int64_t r = 0; r < n; ++r) ASSERT_EQ(y.row_bytes(r), again.row_bytes(r));
                }
                ops::linear(stream, sum.view(), x.view(), w.layer, Epilogue::add_residual(residual.view()));
                for (std::int64_t r = 0; r < n; ++r)
                    for (std::int64_t o = 0; o < out; ++o) {
                        const float wanted = w.plain(x, r, o) + residual.at(r, o);
                        ASSERT_EQ(sum.at(r, o), dtype == DType::f32 ? wanted : from_bf16(to_bf16(wanted)));
                    }
                ops::layer_norm(stream, again.view(), sum.view(), flat(weight), flat(bias), 1e-12f);
                ops::linear(stream, residual.view(), x.view(), w.layer,
                            Epilogue::add_residual_layer_norm(residual.view(), flat(weight), flat(bias), 1e-12f, normed.view()));
                for (std::int64_t r = 0; r < n; ++r) {
                    ASSERT_EQ(residual.row_bytes(r), sum.row_bytes(r));
                    ASSERT_EQ(normed.row_bytes(r), again.row_bytes(r));
                }
            }
}

// The tiles' part on emulated ones, on any processor.
TEST(int8_linear, emulated_tiles_give_the_sums) {
    for (const auto& [rows, panels, depth] : {std::tuple{1, 1, 64}, {16, 2, 128}, {17, 3, 64}, {70, 5, 192}}) {
        Random random(3);
        const auto bytes = [&random](std::int64_t count) {
            std::vector<std::int8_t> values(static_cast<std::size_t>(count));
            for (std::int8_t& value : values) value = static_cast<std::int8_t>(std::lrint(127.0f * random.uniform()));
            return values;
        };
        const std::vector<std::int8_t> a = bytes(rows * depth), b = bytes(panels * depth * 16);
        cpu::GemmInt8<float> g;
        g.rows = rows, g.columns = panels * 16, g.panel_end = panels, g.depth = depth;
        g.a = reinterpret_cast<const std::uint8_t*>(a.data()), g.a_bytes = depth, g.panels = b.data();
        std::int64_t seen = 0;
        const auto finish = [&](std::int64_t row, std::int64_t count, std::int64_t panel, std::int64_t width, const std::int32_t* sums) {
            for (std::int64_t r = 0; r < count; ++r)
                for (std::int64_t c = 0; c < 16 * width; ++c, ++seen) {
                    std::int32_t sum = 0;
                    for (std::int64_t k = 0; k < depth; ++k)
                        sum += a[static_cast<std::size_t>((row + r) * depth + k)] *
                               b[static_cast<std::size_t>((panel + c / 16) * depth * 16 + k / 4 * 64 + c % 16 * 4 + k % 4)];
                    ASSERT_EQ(sums[r * 32 + c], sum) << row + r << " " << panel << " " << c;
                }
        };
        cpu::ByteRows<EmulatedTiles, float, decltype(finish)>(g, finish).run();
        EXPECT_EQ(seen, rows * panels * 16);
    }
}

TEST(int8_linear, says_what_is_wrong) {
    TestStream stream(1);
    const Layer8 w(stream, DType::f32, 24, 20, false);
    Matrix x(DType::f32, 4, 24), narrow(DType::f32, 4, 19);
    try {
        ops::linear(stream, narrow.view(), x.view(), w.layer);
        FAIL();
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "linear: y has shape (4, 19), expected (4, 20), the output of the weight for every row of x");
    }
    const std::vector<View> parts = {x.view()};
    EXPECT_THROW(Int8Linear(stream, parts, View(), 0.0f), Error);
}

}  // namespace
}  // namespace temper::test
