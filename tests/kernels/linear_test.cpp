// The linear layer against references in double precision, over odd sizes, for every instruction set that runs here; the row law.
#include <algorithm>

#include "tests/kernels/linear_support.h"

namespace temper {
namespace {

using test::expect_near;
using test::kBf16Step;
using test::kDevice;
using test::Layer;
using test::Matrix;
using test::Slot;
using test::TestStream;
using test::twice;
using test::Vector;
using test::view_of;

struct Shape {
    std::int64_t n, in, out;
    std::vector<Slot> slots;
    bool bias;
};

const std::vector<Shape> kShapes = {
    {1, 24, 20, {{0, 20, 1}}, false},
    {13, 25, 37, {{0, 10, 3}, {10, 27, 5}}, true},
    {7, 64, 96, {{0, 32, 16}, {32, 32, 8}, {64, 32, 4}}, true},
    {70, 96, 80, {{0, 16, 17}, {48, 32, 2}}, false},
    {50, 33, 15, {}, true},
    {29, 160, 33, {{1, 31, 40}}, false},
    {131, 64, 448, {{0, 448, 8}}, false},
    {1200, 40, 300, {{0, 300, 40}}, false},  // more tokens and ranks than a kernel takes at a time
};

struct Case {
    DType dtype;
    Isa isa;
    int threads;
};

std::string name_of_case(const ::testing::TestParamInfo<Case>& info) {
    return std::string(name_of(info.param.dtype)) + "_" + name_of(info.param.isa) + "_" + std::to_string(info.param.threads);
}

std::vector<Case> cases() {
    std::vector<Case> result;
    for (const Isa isa : test::all_isas()) result.push_back({DType::bf16, isa, 2});
    result.push_back({DType::bf16, best_isa(), 1});
    result.push_back({DType::f32, best_isa(), 1});
    result.push_back({DType::f32, best_isa(), 2});
    return result;
}

class LinearTest : public ::testing::TestWithParam<Case> {
  protected:
    void SetUp() override {
        if (GetParam().isa > best_isa()) GTEST_SKIP() << "this processor has no " << name_of(GetParam().isa);
    }
    DType dtype() const { return GetParam().dtype; }
    // Rounding of a stored number, and of float32 sums.
    double rounding() const { return dtype() == DType::f32 ? 1e-6 : kBf16Step / 2; }
};

TEST_P(LinearTest, ForwardAgreesWithDoublePrecision) {
    for (const Shape& shape : kShapes) {
        TestStream stream(GetParam().threads, GetParam().isa);
        Layer layer(stream, dtype(), shape.in, shape.out, shape.slots, shape.bias);
        Matrix x(dtype(), shape.n, shape.in, 7), y(dtype(), shape.n, shape.out, 5), s(dtype(), shape.n, layer.rank_total, 3);
        x.randomize(9);
        twice(stream, [&] { ops::linear(stream, y.view(), x.view(), layer.prepared, layer.rank_total > 0 ? s.view() : View()); });
        EXPECT_TRUE(y.spare_untouched());
        EXPECT_TRUE(s.spare_untouched());
        for (std::int64_t n = 0; n < shape.n; ++n) {
            std::int64_t rank = 0;
            for (std::size_t i = 0; i < layer.slots.size(); ++i) {
                for (std::int64_t r = 0; r < layer.slots[i].rank; ++r, ++rank) {
                    double sum = 0.0, size = 0.0;
                    for (std::int64_t k = 0; k < shape.in; ++k) {
                        sum += x.at(n, k) * layer.a(i, r, k);
                        size += std::abs(x.at(n, k) * layer.a(i, r, k));
                    }
                    sum *= layer.slots[i].scale;
                    expect_near(s.at(n, rank), sum, std::abs(sum) * rounding() + size * layer.slots[i].scale * 1e-6, "s");
                }
            }
            for (std::int64_t o = 0; o < shape.out; ++o) {
                double sum = shape.bias ? layer.bias.at(0, o) : 0.0, size = std::abs(sum);
                for (std::int64_t k = 0; k < shape.in; ++k) {
                    sum += x.at(n, k) * layer.weight.at(o, k);
                    size += std::abs(x.at(n, k) * layer.weight.at(o, k));
                }
                rank = 0;
                for (std::size_t i = 0; i < layer.slots.size(); rank += layer.slots[i++].rank) {
                    const AdapterSlot& slot = layer.slots[i];
                    if (o < slot.out_begin || o >= slot.out_begin + slot.out_size) continue;
                    for (std::int64_t r = 0; r < slot.rank; ++r) sum += s.at(n, rank + r) * layer.b(i, o - slot.out_begin, r);
                }
                expect_near(y.at(n, o), sum, std::abs(sum) * rounding() + size * 2e-6, "y of " + x.view().describe());
            }
        }
        // Without s the same output: the sums come from scratch.
        Matrix again(dtype(), shape.n, shape.out);
        ops::linear(stream, again.view(), x.view(), layer.prepared, View());
        for (std::int64_t n = 0; n < shape.n; ++n) ASSERT_EQ(again.row_bytes(n), y.row_bytes(n));
    }
}

TEST_P(LinearTest, RowsKeepTheirBitsInAnyCompany) {
    const std::int64_t total = 200;
    for (const Shape& shape : {Shape{0, 96, 80, {{0, 48, 5}, {48, 32, 16}}, true}, Shape{0, 40, 51, {{3, 40, 2}}, false}}) {
        TestStream stream(GetParam().threads, GetParam().isa);
        Layer layer(stream, dtype(), shape.in, shape.out, shape.slots, shape.bias);
        Matrix x(dtype(), total, shape.in, 2), whole(dtype(), total, shape.out);
        x.randomize(5);
        ops::linear(stream, whole.view(), x.view(), layer.prepared, View());
        for (const int threads : {1, 2, 3}) {
            TestStream other(threads, GetParam().isa);
            for (std::int64_t n = 1; n <= 70; ++n) {
                const std::int64_t first = (n * 37) % (total - n);
                Matrix y(dtype(), n, shape.out, 1);
                twice(other, [&] { ops::linear(other, y.view(), x.view().rows(first, n), layer.prepared, View()); });
                for (std::int64_t r = 0; r < n; ++r)
                    ASSERT_EQ(y.row_bytes(r), whole.row_bytes(first + r)) << "row " << r << " of " << n << " from " << first;
            }
        }
    }
}

// A model and its frozen base in one call: the first rows are as in a call of their own, the others as without any adapter.
TEST_P(LinearTest, RowsBehindTheAdaptedOnesSeeTheFrozenWeight) {
    const std::int64_t n = 150;
    for (const bool dora : {false, true})
        for (const bool drops : {false, true})
            for (const std::int64_t adapted : {0, 1, 70, 149, 150}) {
                TestStream stream(GetParam().threads, GetParam().isa);
                Layer layer(stream, dtype(), 40, 80, {{0, 48, 5}, {48, 32, 16}}, true, 1, dora);
                Layer plain(stream, dtype(), 40, 80, {}, true);
                Matrix x(dtype(), n, 40, 2), residual(dtype(), n, 80), y(dtype(), n, 80), s(dtype(), std::max<std::int64_t>(1, adapted), 21),
                    alone(dtype(), n, 80), alone_s(dtype(), n, 21), base(dtype(), n, 80);
                x.randomize(5);
                residual.randomize(6);
                Vector<std::int32_t> rows(n), tokens(n);
                for (std::int32_t i = 0; i < n; ++i) rows[static_cast<std::size_t>(i)] = i / 9, tokens[static_cast<std::size_t>(i)] = i % 9;
                Dropout dropout;
                dropout.probability = drops ? 0.3f : 0.0f;
                dropout.rows = view_of(rows, {adapted});
                dropout.tokens = view_of(tokens, {adapted});
                const Epilogue both = Epilogue::add_residual(residual.view());
                twice(stream,
                      [&] { ops::linear(stream, y.view(), x.view(), layer.prepared, adapted > 0 ? s.view() : View(), both, dropout, adapted); });
                if (adapted > 0)
                    ops::linear(stream, alone.view().rows(0, adapted), x.view().rows(0, adapted), layer.prepared, alone_s.view().rows(0, adapted),
                                Epilogue::add_residual(residual.view().rows(0, adapted)), dropout);
                ops::linear(stream, base.view(), x.view(), plain.prepared, View(), both);
                for (std::int64_t r = 0; r < n; ++r) {
                    ASSERT_EQ(y.row_bytes(r), (r < adapted ? alone : base).row_bytes(r)) << "row " << r << " of " << adapted << " adapted";
                    if (r < adapted) {
                        ASSERT_EQ(s.row_bytes(r), alone_s.row_bytes(r));
                    }
                }
            }
}

// Also for d_x, and a leaf's sums for any place of the leaf.
TEST_P(LinearTest, BackwardKeepsBitsInAnyCompany) {
    TestStream stream(GetParam().threads, GetParam().isa);
    Layer layer(stream, dtype(), 96, 80, {{0, 45, 5}, {48, 32, 16}}, false);
    const std::int64_t total = 150;
    Matrix x(dtype(), total, 96), s(dtype(), total, 21), d_y(dtype(), total, 80), y(dtype(), total, 80), d_x(dtype(), total, 96);
    x.randomize(5);
    d_y.randomize(6);
    ops::linear(stream, y.view(), x.view(), layer.prepared, s.view());
    const std::vector<Leaf> leaves = {{0, 33}, {33, 1}, {34, 50}, {84, 0}, {84, 66}};
    Matrix gradients(DType::f32, 5, layer.parameters.columns());
    ops::linear_backward(stream, d_x.view(), gradients.view(), d_y.view(), layer.prepared, x.view(), s.view(), leaves);
    for (const int threads : {1, 2, 5}) {
        TestStream other(threads, GetParam().isa);
        for (std::size_t i = 0; i < leaves.size(); ++i) {
            const Leaf leaf = leaves[i];
            Matrix d_x_alone(dtype(), leaf.length, 96, 1), alone(DType::f32, 1, layer.parameters.columns());
            const std::vector<Leaf> one = {{0, leaf.length}};
            twice(other, [&] {
                ops::linear_backward(other, d_x_alone.view(), alone.view(), d_y.view().rows(leaf.begin, leaf.length), layer.prepared,
                                     x.view().rows(leaf.begin, leaf.length), s.view().rows(leaf.begin, leaf.length), one);
            });
            ASSERT_EQ(alone.row_bytes(0), gradients.row_bytes(static_cast<std::int64_t>(i))) << "leaf " << i << ", threads " << threads;
            for (std::int64_t r = 0; r < leaf.length; ++r) ASSERT_EQ(d_x_alone.row_bytes(r), d_x.row_bytes(leaf.begin + r));
        }
    }
}

TEST_P(LinearTest, BackwardAgreesWithDoublePrecision) {
    for (const Shape& shape : kShapes) {
        TestStream stream(GetParam().threads, GetParam().isa);
        Layer layer(stream, dtype(), shape.in, shape.out, shape.slots, shape.bias);
        const std::int64_t n = shape.n;
        Matrix x(dtype(), n, shape.in, 7), y(dtype(), n, shape.out), s(dtype(), n, layer.rank_total, 3);
        Matrix d_y(dtype(), n, shape.out, 5), d_x(dtype(), n, shape.in, 1);
        x.randomize(9);
        d_y.randomize(10);
        const View s_view = layer.rank_total > 0 ? s.view() : View();
        ops::linear(stream, y.view(), x.view(), layer.prepared, s_view);
        const std::vector<Leaf> leaves = {{0, n / 2}, {n / 2, n - n / 2}};
        Matrix gradients(DType::f32, 2, layer.parameters.columns(), 2);
        twice(stream, [&] { ops::linear_backward(stream, d_x.view(), gradients.view(), d_y.view(), layer.prepared, x.view(), s_view, leaves); });
        EXPECT_TRUE(d_x.spare_untouched());
        EXPECT_TRUE(gradients.spare_untouched());

        // d_s in double; the kernels round it to the dtype, which the slack allows for.
        std::vector<std::vector<double>> d_s(static_cast<std::size_t>(n)), d_s_size = d_s;
        for (std::size_t t = 0; t < d_s.size(); ++t)
            for (std::size_t i = 0; i < layer.slots.size(); ++i)
                for (std::int64_t r = 0; r < layer.slots[i].rank; ++r) {
                    double sum = 0.0, size = 0.0;
                    for (std::int64_t o = 0; o < layer.slots[i].out_size; ++o) {
                        const double term =
                            d_y.at(static_cast<std::int64_t>(t), layer.slots[i].out_begin + o) * layer.b(i, o, r) * layer.slots[i].scale;
                        sum += term;
                        size += std::abs(term);
                    }
                    d_s[t].push_back(sum);
                    d_s_size[t].push_back(std::abs(sum) * rounding() + size * 1e-6);
                }
        for (std::int64_t t = 0; t < n; ++t) {
            for (std::int64_t k = 0; k < shape.in; ++k) {
                double sum = 0.0, slack = 0.0;
                for (std::int64_t o = 0; o < shape.out; ++o) {
                    sum += d_y.at(t, o) * layer.weight.at(o, k);
                    slack += std::abs(d_y.at(t, o) * layer.weight.at(o, k)) * 2e-6;
                }
                std::size_t rank = 0;
                for (std::size_t i = 0; i < layer.slots.size(); ++i)
                    for (std::int64_t r = 0; r < layer.slots[i].rank; ++r, ++rank) {
                        sum += d_s[static_cast<std::size_t>(t)][rank] * layer.a(i, r, k);
                        slack += d_s_size[static_cast<std::size_t>(t)][rank] * std::abs(layer.a(i, r, k));
                    }
                expect_near(d_x.at(t, k), sum, std::abs(sum) * rounding() + slack, "d_x");
            }
        }
        for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) {
            const std::int64_t row = static_cast<std::int64_t>(leaf), begin = leaves[leaf].begin, end = begin + leaves[leaf].length;
            EXPECT_TRUE(std::isnan(gradients.at(row, 4)));  // what belongs to others is left alone
            std::size_t rank = 0;
            for (std::size_t i = 0; i < layer.slots.size(); ++i) {
                const AdapterSlot& slot = layer.slots[i];
                for (std::int64_t r = 0; r < slot.rank; ++r, ++rank) {
                    for (std::int64_t k = 0; k < shape.in; ++k) {
                        double sum = 0.0, slack = 0.0;
                        for (std::int64_t t = begin; t < end; ++t) {
                            sum += d_s[static_cast<std::size_t>(t)][rank] * x.at(t, k);
                            slack += std::abs(x.at(t, k)) *
                                     (d_s_size[static_cast<std::size_t>(t)][rank] + 1e-6 * std::abs(d_s[static_cast<std::size_t>(t)][rank]));
                        }
                        expect_near(gradients.at(row, slot.offset_a + r * shape.in + k), sum, slack, "d_A");
                    }
                    for (std::int64_t o = 0; o < slot.out_size; ++o) {
                        double sum = 0.0, slack = 0.0;
                        for (std::int64_t t = begin; t < end; ++t) {
                            const double term = d_y.at(t, slot.out_begin + o) * s.at(t, static_cast<std::int64_t>(rank));
                            sum += term;
                            slack += 2e-6 * std::abs(term);
                        }
                        expect_near(gradients.at(row, slot.offset_b + o * slot.rank + r), sum, slack, "d_B");
                    }
                }
            }
        }
        // Only the adapters' gradients: the same.
        Matrix only(DType::f32, 2, layer.parameters.columns(), 2);
        ops::linear_backward(stream, View(), only.view(), d_y.view(), layer.prepared, x.view(), s_view, leaves);
        for (std::int64_t leaf = 0; leaf < 2; ++leaf) ASSERT_EQ(only.row_bytes(leaf), gradients.row_bytes(leaf));
    }
}

TEST_P(LinearTest, ResidualIsAddedBeforeTheOneRounding) {
    TestStream stream(GetParam().threads, GetParam().isa);
    Layer layer(stream, dtype(), 64, 40, {{0, 40, 4}}, true);
    const std::int64_t n = 67;
    Matrix x(dtype(), n, 64), residual(dtype(), n, 40, 2), y(dtype(), n, 40), normed(dtype(), n, 40), plain(dtype(), n, 40);
    x.randomize(3);
    residual.randomize(4, 5.0f);
    Vector<float> norm_weight(40, 1.5f);
    const View weight = view_of(norm_weight);
    ops::linear(stream, plain.view(), x.view(), layer.prepared, View());
    ops::linear(stream, y.view(), x.view(), layer.prepared, View(), Epilogue::add_residual_norm(residual.view(), weight, 1e-5f, normed.view()));
    for (std::int64_t r = 0; r < n; ++r) {
        double squares = 0.0;
        for (std::int64_t c = 0; c < 40; ++c) {
            const double sum = static_cast<double>(plain.at(r, c)) + residual.at(r, c);
            expect_near(y.at(r, c), sum, rounding() * (std::abs(sum) + std::abs(plain.at(r, c))) * 1.01 + 1e-6, "y");
            squares += static_cast<double>(y.at(r, c)) * y.at(r, c);
        }
        const double factor = 1.5 / std::sqrt(squares / 40 + 1e-5);
        for (std::int64_t c = 0; c < 40; ++c) {
            const double wanted = y.at(r, c) * factor;
            expect_near(normed.at(r, c), wanted, std::abs(wanted) * (rounding() + 1e-5), "normed");
        }
    }
    // In place on the residual stream.
    ops::linear(stream, residual.view(), x.view(), layer.prepared, View(), Epilogue::add_residual(residual.view()));
    for (std::int64_t r = 0; r < n; ++r) ASSERT_EQ(residual.row_bytes(r), y.row_bytes(r));
}

// An op may use the columns behind a row where it is told that nobody else does; what it computes is the same.
TEST_P(LinearTest, RoomBehindRowsChangesNoBit) {
    TestStream stream(GetParam().threads, GetParam().isa);
    const std::int64_t n = 70, room = 24;
    const auto with_room = [](Matrix& matrix) {
        View view = matrix.view();
        view.spare = view.row_stride() - view.size(1);
        return view;
    };
    for (const auto& [dora, probability] : {std::pair{false, 0.0f}, {false, 0.3f}, {true, 0.0f}, {true, 0.3f}}) {
        Layer layer(stream, dtype(), 96, 80, {{0, 45, 5}, {48, 32, 16}}, true, 1, dora);
        Matrix x(dtype(), n, 96), wide_x(dtype(), n, 96, room), s(dtype(), n, 21), wide_s(dtype(), n, 21, 3), y(dtype(), n, 80),
            wide_y(dtype(), n, 80, room), d_x(dtype(), n, 96), wide_d_x(dtype(), n, 96, 8);
        x.randomize(5);
        wide_x.randomize(5);
        test::Vector<std::int32_t> numbers(static_cast<std::size_t>(n));
        for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::int32_t>(i);
        Dropout dropout;
        dropout.probability = probability;
        for (const std::int64_t adapted : {0, 33, 70}) {
            dropout.rows = dropout.tokens = test::view_of(numbers, {adapted});
            const auto kept = [&](Matrix& matrix) { return adapted == 0 ? View() : matrix.view().rows(0, adapted); };
            ops::linear(stream, y.view(), x.view(), layer.prepared, kept(s), {}, dropout, adapted);
            twice(stream, [&] { ops::linear(stream, with_room(wide_y), with_room(wide_x), layer.prepared, kept(wide_s), {}, dropout, adapted); });
            for (std::int64_t r = 0; r < n; ++r) {
                ASSERT_EQ(y.row_bytes(r), wide_y.row_bytes(r)) << r;
                if (r < adapted) {
                    ASSERT_EQ(s.row_bytes(r), wide_s.row_bytes(r)) << r;
                }
            }
        }
        y.randomize(6);
        wide_y.randomize(6);
        const std::vector<Leaf> leaves = {{0, 33}, {33, 37}};
        Matrix gradients(DType::f32, 2, layer.parameters.columns()), again(DType::f32, 2, layer.parameters.columns());
        ops::linear_backward(stream, d_x.view(), gradients.view(), y.view(), layer.prepared, x.view(), s.view(), leaves, dropout);
        twice(stream, [&] {
            ops::linear_backward(stream, with_room(wide_d_x), again.view(), with_room(wide_y), layer.prepared, with_room(wide_x), with_room(wide_s),
                                 leaves, dropout);
        });
        for (std::int64_t r = 0; r < n; ++r) ASSERT_EQ(d_x.row_bytes(r), wide_d_x.row_bytes(r)) << r;
        for (std::int64_t leaf = 0; leaf < 2; ++leaf) ASSERT_EQ(gradients.row_bytes(leaf), again.row_bytes(leaf));
    }
}

// What an epilogue does is what its op does to the rounded output.
TEST_P(LinearTest, EpiloguesAreTheirOps) {
    TestStream stream(GetParam().threads, GetParam().isa);
    Layer layer(stream, dtype(), 40, 96, {{0, 96, 5}}, true);
    const std::int64_t n = 70;
    Matrix x(dtype(), n, 40), plain(dtype(), n, 96), y(dtype(), n, 96, 3), activated(dtype(), n, 48), expected(dtype(), n, 48);
    Matrix cosine(DType::f32, 9, 8), sine(DType::f32, 9, 8);
    x.randomize(5);
    cosine.randomize(6);
    sine.randomize(7);
    test::Vector<std::int32_t> numbers(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::int32_t>(i % 9);
    const View positions = test::view_of(numbers);
    const RopeTable table{cosine.view(), sine.view()};
    for (const bool silu : {true, false}) {
        ops::linear(stream, plain.view(), x.view(), layer.prepared, View());
        ops::linear(stream, y.view(), x.view(), layer.prepared, View(),
                    silu ? Epilogue::swiglu(activated.view()) : Epilogue::geglu(activated.view()));
        if (silu) ops::swiglu(stream, expected.view(), plain.view());
        else ops::geglu(stream, expected.view(), plain.view());
        for (std::int64_t r = 0; r < n; ++r) {
            ASSERT_EQ(y.row_bytes(r), plain.row_bytes(r));
            ASSERT_EQ(activated.row_bytes(r), expected.row_bytes(r));
        }
    }
    ops::linear(stream, y.view(), x.view(), layer.prepared, View(), Epilogue::rope(table, positions, 4, 16));
    ops::rope(stream, plain.view().columns(0, 64).reshape({n, 4, 16}), positions, table, false);
    for (std::int64_t r = 0; r < n; ++r) ASSERT_EQ(y.row_bytes(r), plain.row_bytes(r));
}

// A bias that came from a file of bfloat16 numbers.
TEST_P(LinearTest, BiasThatBfloat16HoldsIsAddedBeforeTheOneRounding) {
    TestStream stream(GetParam().threads, GetParam().isa);
    const std::int64_t n = 37, in = 64, out = 40;
    Layer layer(stream, dtype(), in, out, {}, true);
    for (std::int64_t c = 0; c < out; ++c) layer.bias.set(0, c, from_bf16(to_bf16(layer.bias.at(0, c))));
    const std::vector<View> parts = {layer.weight.view()};
    layer.prepared = PreparedLinear(stream, parts, View(layer.bias.view().data, DType::f32, {out}, kDevice), {}, {});
    Matrix x(dtype(), n, in), residual(dtype(), n, out), y(dtype(), n, out);
    x.randomize(5);
    residual.randomize(6);
    ops::linear(stream, y.view(), x.view(), layer.prepared, View(), Epilogue::add_residual(residual.view()));
    for (std::int64_t r = 0; r < n; ++r)
        for (std::int64_t o = 0; o < out; ++o) {
            double sum = static_cast<double>(layer.bias.at(0, o)) + residual.at(r, o), size = std::abs(sum);
            for (std::int64_t k = 0; k < in; ++k) {
                sum += static_cast<double>(x.at(r, k)) * layer.weight.at(o, k);
                size += std::abs(static_cast<double>(x.at(r, k)) * layer.weight.at(o, k));
            }
            expect_near(y.at(r, o), sum, std::abs(sum) * rounding() + size * 2e-6, "y");
        }
}

INSTANTIATE_TEST_SUITE_P(Kernels, LinearTest, ::testing::ValuesIn(cases()), name_of_case);

}  // namespace
}  // namespace temper
