// What is rehearsed with blank weights is all that the ops ask for later: a stream that follows the rehearsed products, and no others, runs every
// variant of the linear ops over any rows.
#include "kernels/rehearsal.h"

#include "kernels/cuda/algorithms.h"
#include "tests/kernels/linear_support.h"

namespace temper {
namespace {

using test::Layer;
using test::Matrix;
using test::Slot;
using test::TestStream;
using test::Vector;
using test::view_of;

#ifdef TEMPER_TEST_CUDA
struct Case {
    DType dtype;
    bool dora, dropout, bias, fits;
};

std::string name_of_case(const ::testing::TestParamInfo<Case>& info) {
    const Case& c = info.param;
    return std::string(name_of(c.dtype)) + (c.dora ? "_dora" : "") + (c.dropout ? "_dropout" : "") + (c.bias ? c.fits ? "_bias" : "_wide_bias" : "");
}

std::vector<Case> cases() {
    std::vector<Case> result;
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const bool dora : {false, true})
            for (const bool dropout : {false, true})
                for (const auto& [bias, fits] : {std::pair{false, false}, {true, true}, {true, false}})
                    if (dtype == DType::bf16 || !bias || fits) result.push_back({dtype, dora, dropout, bias, fits});
    return result;
}

void follow(Stream& stream, const std::vector<cuda::ProductKey>& products) {
    cuda::AlgorithmTable table = cuda::empty_table(stream);
    for (const cuda::ProductKey& product : products) table.keep(product, cuda::choose_algorithm(stream, product));
    cuda::follow_algorithms(stream, table);
}

class Rehearsal : public ::testing::TestWithParam<Case> {
  protected:
    // All passes over n rows, of which some have the adapters.
    void run(Stream& stream, Layer& layer, std::int64_t n, std::int64_t adapted, std::int64_t spare, bool residual) {
        const DType dtype = layer.dtype;
        Matrix x(dtype, n, layer.in, spare), y(dtype, n, layer.out, spare), added(dtype, n, layer.out, spare), d_x(dtype, n, layer.in, spare);
        Matrix s(dtype, n, std::max<std::int64_t>(1, layer.rank_total), spare), gradients(DType::f32, 1, layer.parameters.columns());
        x.randomize(3), y.randomize(4), added.randomize(5), s.randomize(6);
        Vector<std::int32_t> rows(static_cast<std::size_t>(n), 2);
        Dropout dropout;
        dropout.probability = 0.25f;
        dropout.rows = dropout.tokens = view_of(rows);
        const Epilogue epilogue = residual ? Epilogue::add_residual(added.view()) : Epilogue();
        const bool has_adapters = layer.rank_total > 0;
        ops::linear(stream, y.view(), x.view(), layer.prepared, has_adapters ? s.view().rows(0, adapted) : View(), epilogue, {}, adapted);
        const Leaf leaf{0, n};
        ops::linear_backward(stream, d_x.view(), gradients.view(), y.view(), layer.prepared, x.view(), s.view(), {&leaf, 1});
        ops::linear_backward(stream, View(), gradients.view(), y.view(), layer.prepared, x.view(), s.view(), {&leaf, 1});
        if (!GetParam().dropout || !has_adapters) return;
        ops::linear(stream, y.view(), x.view(), layer.prepared, s.view(), epilogue, dropout);
        ops::linear_backward(stream, d_x.view(), gradients.view(), y.view(), layer.prepared, x.view(), s.view(), {&leaf, 1}, dropout);
    }
    void check(std::int64_t in, std::int64_t out, const std::vector<Slot>& slots, bool residual) {
        const Case& c = GetParam();
        TestStream maker(1), stream(1);
        Layer layer(maker, c.dtype, in, out, slots, c.bias, 1, c.dora);
        if (c.fits) {
            for (std::int64_t i = 0; i < out; ++i) layer.bias.set(0, i, static_cast<float>(i % 5) - 2.0f);
            const View bias(layer.bias.view().data, DType::f32, {out}, test::kDevice);
            const std::vector<View> parts = {layer.weight.view()};
            layer.prepared = PreparedLinear(maker, parts, bias, layer.slots, {});
        }
        using Bias = PreparedLinear::Bias;
        follow(stream, cuda::rehearse_products(stream, [&] {
                   const Bias bias = !c.bias ? Bias::none : c.fits ? Bias::fits : Bias::wide;
                   const PreparedLinear blank = PreparedLinear::blank(stream, c.dtype, out, in, {}, layer.slots, {}, bias);
                   ops::rehearse_linear(stream, blank, {true, residual, c.dropout});
               }));
        for (const auto& [n, adapted, spare] : {std::tuple<std::int64_t, std::int64_t, std::int64_t>{1, 1, 0}, {19, 19, 40}, {19, 7, 3}, {5, 0, 0}})
            run(stream, layer, n, adapted, spare, residual);
        stream.synchronize();
    }
};

TEST_P(Rehearsal, MeetsEveryProductOfALinear) {
    for (const bool residual : {false, true}) {
        check(40, 64, {{0, 64, 8}}, residual);
        check(25, 37, {{0, 10, 3}, {12, 25, 5}}, residual);
        check(24, 32, {}, residual);
    }
    check(16, 1100, {{4, 1090, 2}}, false);  // DoRA takes 1,024 outputs at a time
}

INSTANTIATE_TEST_SUITE_P(, Rehearsal, ::testing::ValuesIn(cases()), name_of_case);

TEST(RehearsalOfAHead, MeetsEveryProduct) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
        const std::int64_t width = 20, vocabulary = 2061, n = 9;  // its gradient is made 2,048 rows at a time
        TestStream maker(1), stream(1);
        Layer head(maker, dtype, width, vocabulary, {}, false);
        follow(stream, cuda::rehearse_products(stream, [&] {
                   const PreparedLinear blank = PreparedLinear::blank(stream, dtype, vocabulary, width, {}, {}, {}, PreparedLinear::Bias::none);
                   ops::rehearse_head(stream, blank, {true, true, true, true});
               }));
        Matrix x(dtype, n, width, 4), d_x(dtype, n, width, 4), logits(DType::f32, n, vocabulary, 3), d_weight(DType::f32, vocabulary, width, 1);
        x.randomize(2);
        const std::vector<std::int32_t> rows = {0, 1, 4, 8}, labels = {5, 2060, 3, 0};
        Vector<float> nll(rows.size());
        Vector<std::int32_t> correct(rows.size());
        ops::linear(stream, logits.view(), x.view(), head.prepared, View());
        for (const View& gradient : {View(), d_x.view()})
            ops::linear_cross_entropy(stream, view_of(nll), view_of(correct), gradient, x.view(), head.prepared, rows, labels, 0.5f);
        ops::linear_cross_entropy_weight(stream, d_weight.view(), x.view(), head.prepared, view_of(nll), rows, labels, 0.5f);
        stream.synchronize();
    }
}

TEST(RehearsalOfAHead, OfSomeUsesMeetsNoOthers) {
    TestStream stream(1);
    const auto products = [&](ops::HeadUse use) {
        return cuda::rehearse_products(stream, [&] {
            ops::rehearse_head(stream, PreparedLinear::blank(stream, DType::bf16, 24, 16, {}, {}, {}, PreparedLinear::Bias::none), use);
        });
    };
    EXPECT_EQ(products({}).size(), 0u);
    EXPECT_EQ(products({false, true, false, false}).size(), 1u);
    EXPECT_EQ(products({false, true, true, false}).size(), 2u);
}
#else
TEST(Rehearsal, IsOfDevicesWhoseProductsAreChosen) {
    TestStream stream(1);
    EXPECT_THROW(PreparedLinear::blank(stream, DType::f32, 8, 8, {}, {}, {}, PreparedLinear::Bias::none), Error);
}
#endif

}  // namespace
}  // namespace temper
