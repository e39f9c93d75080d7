// The float32 linear in panels against double precision and in any company, with every epilogue.
#include "tests/kernels/linear_support.h"

namespace temper::test {
namespace {

struct Panels {
    Matrix weight, bias;
    PreparedLinear prepared;

    Panels(Stream& stream, std::int64_t in, std::int64_t out, bool with_bias) : weight(DType::f32, out, in, 3), bias(DType::f32, 1, out) {
        weight.randomize(1, 0.3f), bias.randomize(2);
        const std::vector<View> parts = {weight.view().rows(0, out / 3), weight.view().rows(out / 3, out - out / 3)};
        PreparedLinear::Options options;
        options.backward = false, options.panels = true;
        prepared = PreparedLinear(stream, parts, with_bias ? View(bias.view().data, DType::f32, {out}, kDevice) : View(), {}, options);
    }
};

TEST(linear_panels, agree_with_double_precision) {
    for (const Isa isa : isas())
        for (const auto& [n, in, out, bias] : {std::tuple{1, 1, 1, false},
                                               {5, 24, 20, true},
                                               {13, 25, 37, false},
                                               {70, 96, 80, true},
                                               {131, 33, 15, true},
                                               {301, 64, 448, false},
                                               {20, 400, 32, true}}) {
            TestStream stream(2, isa);
            Panels layer(stream, in, out, bias);
            Matrix x(DType::f32, n, in, 7), y(DType::f32, n, out, 5);
            x.randomize(9);
            twice(stream, [&] { ops::linear(stream, y.view(), x.view(), layer.prepared, View()); });
            EXPECT_TRUE(y.spare_untouched());
            for (std::int64_t r = 0; r < n; ++r)
                for (std::int64_t o = 0; o < out; ++o) {
                    double sum = bias ? layer.bias.at(0, o) : 0.0, size = std::abs(sum);
                    for (std::int64_t k = 0; k < in; ++k) {
                        sum += static_cast<double>(x.at(r, k)) * layer.weight.at(o, k);
                        size += std::abs(static_cast<double>(x.at(r, k)) * layer.weight.at(o, k));
                    }
                    expect_near(y.at(r, o), sum, std::abs(sum) * 1e-6 + size * 2e-6, name_of(isa));
                }
        }
}

TEST(linear_panels, rows_keep_their_bits_in_any_company) {
    const std::int64_t total = 300, in = 70, out = 100;
    for (const Isa isa : isas()) {
        TestStream stream(2, isa);
        Panels layer(stream, in, out, true);
        Matrix x(DType::f32, total, in, 2), whole(DType::f32, total, out);
        x.randomize(5);
        ops::linear(stream, whole.view(), x.view(), layer.prepared, View());
        for (const int threads : {1, 2, 3}) {
            TestStream other(threads, isa);
            for (std::int64_t n = 1; n <= 70; ++n) {
                const std::int64_t first = (n * 37) % (total - n);
                Matrix y(DType::f32, n, out, 1);
                ops::linear(other, y.view(), x.view().rows(first, n), layer.prepared, View());
                for (std::int64_t r = 0; r < n; ++r) ASSERT_EQ(y.row_bytes(r), whole.row_bytes(first + r)) << r << " of " << n << " from " << first;
            }
        }
    }
}

TEST(linear_panels, epilogues_have_the_bits_of_the_ops) {
    const std::int64_t in = 40, out = 70;
    for (const Isa isa : isas())
        for (const std::int64_t n : {1, 13, 64, 259}) {
            SCOPED_TRACE(std::string(name_of(isa)) + " rows " + std::to_string(n));
            TestStream stream(2, isa);
            Panels layer(stream, in, out, true);
            Matrix x(DType::f32, n, in, 2), plain(DType::f32, n, out), y(DType::f32, n, out, 3), residual(DType::f32, n, out),
                sum(DType::f32, n, out), normed(DType::f32, n, out), again(DType::f32, n, out, 1), weight(DType::f32, 1, out),
                bias(DType::f32, 1, out);
            x.randomize(1), residual.randomize(2), weight.randomize(3), bias.randomize(4);
            const auto flat = [out](Matrix& row) { return View(row.view().data, DType::f32, {out}, kDevice); };
            ops::linear(stream, plain.view(), x.view(), layer.prepared, View());
            for (const Pointwise function : {Pointwise::gelu, Pointwise::gelu_tanh, Pointwise::relu, Pointwise::tanh}) {
                ops::linear(stream, y.view(), x.view(), layer.prepared, View(), Epilogue::pointwise(function));
                ops::copy(stream, again.view(), plain.view());
                ops::pointwise(stream, again.view(), function);
                for (std::int64_t r = 0; r < n; ++r) ASSERT_EQ(y.row_bytes(r), again.row_bytes(r));
            }
            ops::linear(stream, sum.view(), x.view(), layer.prepared, View(), Epilogue::add_residual(residual.view()));
            for (std::int64_t r = 0; r < n; ++r)
                for (std::int64_t o = 0; o < out; ++o) {
                    // A device may add the residual before the bias.
                    const float wanted = plain.at(r, o) + residual.at(r, o);
                    if (kDevice == Device::cpu) ASSERT_EQ(sum.at(r, o), wanted);
                    else ASSERT_NEAR(sum.at(r, o), wanted, 1e-5);
                }
            ops::layer_norm(stream, again.view(), sum.view(), flat(weight), flat(bias), 1e-12f);
            ops::linear(stream, residual.view(), x.view(), layer.prepared, View(),
                        Epilogue::add_residual_layer_norm(residual.view(), flat(weight), flat(bias), 1e-12f, normed.view()));
            for (std::int64_t r = 0; r < n; ++r) {
                ASSERT_EQ(residual.row_bytes(r), sum.row_bytes(r));
                ASSERT_EQ(normed.row_bytes(r), again.row_bytes(r));
            }
        }
}

TEST(linear_panels, count_their_bytes_and_are_of_the_forward_pass_alone) {
    TestStream stream(1);
    Panels layer(stream, 96, 80, true);
    PreparedLinear::Options options{false, false, kDevice};
    options.panels = true;
    EXPECT_EQ(PreparedLinear::predict_bytes(DType::f32, 80, 96, 0, true, options), layer.prepared.bytes());
    Matrix weight(DType::f32, 8, 8);
    const std::vector<View> parts = {weight.view()};
    options.backward = true;
    EXPECT_THROW(PreparedLinear(stream, parts, View(), {}, options), Error);
}

}  // namespace
}  // namespace temper::test
