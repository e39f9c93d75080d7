// The linear layer of 8-bit integers: the same bits as plain code on every instruction set and device, in any company, with every epilogue.
#include "tests/kernels/linear_support.h"

#include "kernels/cpu/gemm_int8_amx_body.h"
#include "kernels/int8.h"
#include "tests/kernels/amx_emulated.h"

namespace temper::test {
namespace {

// Another multiplier for every column, so that some numbers of size 2 meet the bound.
Int8Input input_of(std::int64_t in, std::int32_t most) {
    Int8Input input;
    input.most = most;
    for (std::int64_t k = 0; k < in; ++k) input.multipliers.push_back(static_cast<float>(most) / (3.0f + static_cast<float>(k % 7)));
    return input;
}

struct Layer8 {
    std::int64_t in, out;
    Matrix weight, bias;
    Int8Input input;
    Int8Linear layer;
    Int8Rows rows;

    Layer8(Stream& stream, DType dtype, std::int64_t in_, std::int64_t out_, bool with_bias, std::int32_t most)
        : in(in_), out(out_), weight(dtype, out_, in_, 3), bias(DType::f32, 1, out_), input(input_of(in_, most)) {
        weight.randomize(1, 0.3f), bias.randomize(2);
        if (out > 2)
            for (std::int64_t k = 0; k < in; ++k) weight.set(2, k, 0.0f);
        const std::vector<View> parts = {weight.view().rows(0, out / 3), weight.view().rows(out / 3, out - out / 3)};
        layer = Int8Linear(stream, parts, with_bias ? View(bias.view().data, DType::f32, {out}, kDevice) : View(), input);
        rows = int8_rows(parts, input.multipliers);
        if (!with_bias) bias = Matrix();
    }
    // Row r of y before an epilogue, as its definition has it.
    float plain(const Matrix& x, std::int64_t r, std::int64_t o) const {
        std::int64_t sum = 0;
        for (std::int64_t k = 0; k < in; ++k) {
            const float most = static_cast<float>(input.most),
                        scaled = std::min(most, std::max(-most, x.at(r, k) * input.multipliers[static_cast<std::size_t>(k)]));
            sum += std::lrint(scaled) * rows.values[static_cast<std::size_t>(o * in + k)];
        }
        const float product = static_cast<float>(sum) * rows.scales[static_cast<std::size_t>(o)];
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
                                                   {20, 400, 32, false}})
                for (const std::int32_t most : {127, 128, Int8Linear::widest(in)}) {
                    SCOPED_TRACE(std::string(name_of(isa)) + " " + name_of(dtype) + " rows " + std::to_string(n) + " in " + std::to_string(in) +
                                 " most " + std::to_string(most));
                    TestStream stream(2, isa);
                    const Layer8 w(stream, dtype, in, out, bias, most);
                    Matrix x(dtype, n, in, 7), y(dtype, n, out, 5);
                    x.randomize(9, 2.0f);  // some beyond the bound
                    twice(stream, [&] { ops::linear(stream, y.view(), x.view(), w.layer); });
                    EXPECT_TRUE(y.spare_untouched());
                    for (std::int64_t r = 0; r < n; ++r)
                        for (std::int64_t o = 0; o < out; ++o) {
                            const float wanted = w.plain(x, r, o);
                            ASSERT_EQ(y.at(r, o), dtype == DType::f32 ? wanted : from_bf16(to_bf16(wanted))) << r << " " << o;
                        }
                }
}

// Products that would not fit 16 bits, added up to what just fits 32.
TEST(int8_linear, is_exact_at_its_limits) {
    const std::int64_t n = 3, in = 5000, out = 33;
    for (const Isa isa : isas())
        for (const auto& [sign, most] : {std::pair{1.0f, 127}, {-1.0f, 127}, {1.0f, Int8Linear::widest(in)}, {-1.0f, Int8Linear::widest(in)}}) {
            TestStream stream(1, isa);
            Matrix weight(DType::f32, out, in), x(DType::f32, n, in), y(DType::f32, n, out);
            for (std::int64_t k = 0; k < in; ++k) {
                for (std::int64_t o = 0; o < out; ++o) weight.set(o, k, sign * 127.0f);
                for (std::int64_t r = 0; r < n; ++r) x.set(r, k, 1e9f);
            }
            const std::vector<View> parts = {weight.view()};
            const Int8Linear layer(stream, parts, View(), Int8Input{std::vector<float>(static_cast<std::size_t>(in), 1.0f), most});
            ops::linear(stream, y.view(), x.view(), layer);
            for (std::int64_t r = 0; r < n; ++r)
                for (std::int64_t o = 0; o < out; ++o)
                    ASSERT_EQ(y.at(r, o), static_cast<float>(sign * 127.0f * static_cast<float>(most * in))) << name_of(isa);
        }
}

// Of what the layer gives, to the product of the floats.
double error_of(std::int32_t most) {
    TestStream stream(1);
    const std::int64_t n = 9, in = 384, out = 50;
    const Layer8 w(stream, DType::f32, in, out, true, most);
    Matrix x(DType::f32, n, in), y(DType::f32, n, out);
    x.randomize(5, 0.8f);
    ops::linear(stream, y.view(), x.view(), w.layer);
    double error = 0, size = 0;
    for (std::int64_t r = 0; r < n; ++r)
        for (std::int64_t o = 0; o < out; ++o) {
            double sum = w.bias.at(0, o);
            for (std::int64_t k = 0; k < in; ++k) sum += static_cast<double>(x.at(r, k)) * w.weight.at(o, k);
            error += (y.at(r, o) - sum) * (y.at(r, o) - sum), size += sum * sum;
        }
    return std::sqrt(error / size);
}

TEST(int8_linear, is_near_the_float_product) {
    const double narrow = error_of(127), wide = error_of(Int8Linear::widest(384));
    EXPECT_LT(narrow, 0.025);
    EXPECT_LT(wide, 0.6 * narrow);  // what is left is of the weights
    EXPECT_GT(wide, 0.0);
}

// One column is a hundred times as large as the others: with a multiplier for all it would leave them about one step.
TEST(int8_linear, a_large_column_takes_no_steps_from_the_others) {
    TestStream stream(1);
    const std::int64_t n = 6, in = 64, out = 16;
    Matrix weight(DType::f32, out, in), x(DType::f32, n, in), y(DType::f32, n, out);
    weight.randomize(1), x.randomize(2);
    for (std::int64_t o = 0; o < out; ++o) weight.set(o, 7, 0.01f * weight.at(o, 7));
    for (std::int64_t r = 0; r < n; ++r) x.set(r, 7, 100.0f * x.at(r, 7));
    const std::vector<View> parts = {weight.view()};
    const auto error = [&](const Int8Input& input) {
        const Int8Linear layer(stream, parts, View(), input);
        ops::linear(stream, y.view(), x.view(), layer);
        double total = 0.0;
        for (std::int64_t r = 0; r < n; ++r)
            for (std::int64_t o = 0; o < out; ++o) {
                double sum = 0.0;
                for (std::int64_t k = 0; k < in; ++k) sum += static_cast<double>(x.at(r, k)) * weight.at(o, k);
                total += (y.at(r, o) - sum) * (y.at(r, o) - sum);
            }
        return std::sqrt(total);
    };
    Int8Input even{std::vector<float>(static_cast<std::size_t>(in), 127.0f / 300.0f), 127};
    const double before = error(even);
    for (float& multiplier : even.multipliers) multiplier = 127.0f / 3.0f;
    even.multipliers[7] = 127.0f / 300.0f;
    EXPECT_LT(error(even), before / 10.0);
}

TEST(int8_linear, rows_keep_their_bits_in_any_company) {
    const std::int64_t total = 200, in = 70, out = 100;
    for (const Isa isa : isas()) {
        TestStream stream(2, isa);
        const Layer8 w(stream, DType::f32, in, out, true, 1000);
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
                const Layer8 w(stream, dtype, in, out, true, n == 13 ? 127 : Int8Linear::widest(in));
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
    for (const auto& [rows, parts, panels, depth] :
         {std::tuple{1, 1, 1, 64}, {16, 1, 2, 128}, {17, 1, 3, 64}, {70, 1, 5, 192}, {9, 2, 1, 64}, {35, 2, 2, 64}}) {
        Random random(3);
        const auto bytes = [&random](std::int64_t count) {
            std::vector<std::int8_t> values(static_cast<std::size_t>(count));
            for (std::int8_t& value : values) value = static_cast<std::int8_t>(std::lrint(127.0f * random.uniform()));
            return values;
        };
        const std::vector<std::int8_t> a = bytes(rows * parts * depth), b = bytes(panels * depth * 16);
        cpu::GemmInt8<float> g;
        g.rows = rows, g.parts = parts, g.columns = panels * 16, g.panel_end = panels, g.depth = depth;
        g.a = reinterpret_cast<const std::uint8_t*>(a.data()), g.a_bytes = depth, g.panels = b.data();
        std::int64_t seen = 0;
        const auto finish = [&](std::int64_t row, std::int64_t count, std::int64_t panel, std::int64_t width, const std::int32_t* sums) {
            EXPECT_EQ(row % parts + count % parts, 0);
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
        EXPECT_EQ(seen, rows * parts * panels * 16);
    }
}

TEST(int8_linear, says_what_is_wrong) {
    TestStream stream(1);
    const Layer8 w(stream, DType::f32, 24, 20, false, 127);
    Matrix x(DType::f32, 4, 24), narrow(DType::f32, 4, 19);
    try {
        ops::linear(stream, narrow.view(), x.view(), w.layer);
        FAIL();
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "linear: y has shape (4, 19), expected (4, 20), the output of the weight for every row of x");
    }
    const std::vector<View> parts = {x.view()};
    Int8Input few = input_of(23, 127), zero = input_of(24, 127), wide = input_of(24, 127);
    zero.multipliers[3] = 0.0f, wide.most = Int8Linear::widest(24) + 1;
    for (const Int8Input& input : {few, zero, wide}) EXPECT_THROW(Int8Linear(stream, parts, View(), input), Error);
}

}  // namespace
}  // namespace temper::test
