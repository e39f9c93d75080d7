// DoRA and LoRA dropout in the linear layer: against a twin in double precision that makes its masks from the definition, gradients by
// finite differences of that twin, and the same bits for a row or a leaf in any company.
#include <algorithm>

#include "kernels/cpu/dropout.h"
#include "kernels/random.h"
#include "tests/kernels/linear_support.h"

namespace temper {
namespace {

using test::Layer;
using test::Matrix;
using test::Slot;
using test::TestStream;
using test::twice;

struct Case {
    DType dtype;
    Isa isa;
    bool dora;
    float probability;
};

std::string name_of_case(const ::testing::TestParamInfo<Case>& info) {
    const Case& c = info.param;
    return std::string(name_of(c.dtype)) + "_" + name_of(c.isa) + (c.dora ? "_dora" : "") + (c.probability > 0 ? "_dropout" : "");
}

std::vector<Case> cases() {
    std::vector<Case> result;
    for (const auto& [dora, probability] : {std::pair{true, 0.0f}, {false, 0.3f}, {true, 0.3f}}) {
        for (const Isa isa : test::all_isas()) result.push_back({DType::bf16, isa, dora, probability});
        result.push_back({DType::f32, best_isa(), dora, probability});
    }
    return result;
}

// Rows and tokens that no two rows of a call share.
struct Numbers {
    Matrix rows, tokens;
    explicit Numbers(std::int64_t n) : rows(DType::f32, 1, n), tokens(DType::f32, 1, n) {
        for (std::int64_t i = 0; i < n; ++i) {
            static_cast<std::int32_t*>(rows.view().data)[i] = static_cast<std::int32_t>(7 + i / 5);
            static_cast<std::int32_t*>(tokens.view().data)[i] = static_cast<std::int32_t>(i % 5);
        }
    }
    Dropout dropout(float probability, std::int64_t begin, std::int64_t n) {
        Dropout d;
        d.probability = probability;
        d.seed = 99;
        d.step = 4;
        d.rows = View(static_cast<std::int32_t*>(rows.view().data) + begin, DType::i32, {n}, test::kDevice);
        d.tokens = View(static_cast<std::int32_t*>(tokens.view().data) + begin, DType::i32, {n}, test::kDevice);
        return d;
    }
};

// By the definition: 16 random bits an element.
double mask(const Dropout& d, std::int64_t row, std::int64_t module, std::int64_t column) {
    if (!d.active()) return 1.0;
    const std::uint64_t stream =
        static_cast<std::uint64_t>(d.rows.as<std::int32_t>()[row]) << 32 | static_cast<std::uint32_t>(d.tokens.as<std::int32_t>()[row]);
    const auto words = philox(d.seed + (d.step + 1) * 0x9E3779B97F4A7C15u, stream,
                              static_cast<std::uint64_t>(module) << 32 | static_cast<std::uint64_t>(column / 8));
    const std::uint32_t word = words[static_cast<std::size_t>(column % 8 / 2)], bits = column % 2 == 0 ? word & 0xffffu : word >> 16;
    return bits < std::lround(static_cast<double>(d.probability) * 65536.0) ? 0.0 : 1.0 / (1.0 - static_cast<double>(d.probability));
}

// The layer in double, as a function of x and the parameters; the lengths of the rows are those of the start, as DoRA wants them.
struct Twin {
    const Layer& layer;
    std::vector<double> parameters, norm;

    explicit Twin(const Layer& l) : layer(l), norm(static_cast<std::size_t>(l.out), 1.0) {
        for (std::int64_t i = 0; i < l.parameters.columns(); ++i) parameters.push_back(static_cast<double>(l.parameters.at(0, i)));
        for (const AdapterSlot& slot : l.slots)
            for (std::int64_t o = 0; o < slot.out_size; ++o) {
                double squares = 0.0;
                for (std::int64_t k = 0; k < l.in; ++k) {
                    double w = l.weight.at(slot.out_begin + o, k);
                    for (std::int64_t r = 0; r < slot.rank; ++r)
                        w += slot.scale * parameters[static_cast<std::size_t>(slot.offset_b + o * slot.rank + r)] *
                             parameters[static_cast<std::size_t>(slot.offset_a + r * l.in + k)];
                    squares += w * w;
                }
                norm[static_cast<std::size_t>(slot.out_begin + o)] = std::sqrt(squares);
            }
    }
    // Sum of d_y * y over all elements.
    double loss(const std::vector<double>& x, std::int64_t n, const Dropout& d, const Matrix& d_y, std::vector<double>* y = nullptr) const {
        double total = 0.0;
        for (std::int64_t t = 0; t < n; ++t)
            for (std::int64_t o = 0; o < layer.out; ++o) {
                const double value = element(x, t, o, d);
                total += value * static_cast<double>(d_y.at(t, o));
                if (y != nullptr) y->push_back(value);
            }
        return total;
    }
    double element(const std::vector<double>& x, std::int64_t t, std::int64_t o, const Dropout& d) const {
        const auto at = [&](std::int64_t k) { return x[static_cast<std::size_t>(t * layer.in + k)]; };
        double plain = 0.0;
        for (std::int64_t k = 0; k < layer.in; ++k) plain += at(k) * layer.weight.at(o, k);
        double value = plain;
        for (const AdapterSlot& slot : layer.slots) {
            const std::int64_t row = o - slot.out_begin;
            if (row < 0 || row >= slot.out_size) continue;
            double adapter = 0.0, masked = 0.0;
            for (std::int64_t k = 0; k < layer.in; ++k) {
                const double dropped = at(k) * mask(d, t, slot.module, k);
                masked += dropped * layer.weight.at(o, k);
                for (std::int64_t r = 0; r < slot.rank; ++r)
                    adapter += slot.scale * dropped * parameters[static_cast<std::size_t>(slot.offset_a + r * layer.in + k)] *
                               parameters[static_cast<std::size_t>(slot.offset_b + row * slot.rank + r)];
            }
            const double g = slot.offset_m < 0 ? 1.0 : parameters[static_cast<std::size_t>(slot.offset_m + row)] / norm[static_cast<std::size_t>(o)];
            value = slot.offset_m < 0 ? plain + adapter : plain + (g * (masked + adapter) - masked);
        }
        return value + (layer.bias.columns() > 0 ? static_cast<double>(layer.bias.at(0, o)) : 0.0);
    }
};

class LinearVariants : public ::testing::TestWithParam<Case> {
  protected:
    void SetUp() override {
        if (GetParam().isa > best_isa()) GTEST_SKIP() << "this processor has no " << name_of(GetParam().isa);
    }
    // Of the largest number of a tensor.
    double tolerance() const { return GetParam().dtype == DType::f32 ? 2e-6 : 0.02; }
};

const std::vector<Slot> kSlots = {{0, 10, 3}, {12, 25, 5}};  // the first ends inside a panel, two outputs have none

TEST_P(LinearVariants, ForwardAndGradientsAgreeWithFiniteDifferences) {
    const std::int64_t n = 14, in = 25, out = 37;
    TestStream stream(2, GetParam().isa);
    Layer layer(stream, GetParam().dtype, in, out, kSlots, true, 1, GetParam().dora);
    Numbers numbers(n);
    const Dropout dropout = numbers.dropout(GetParam().probability, 0, n);
    Matrix x(GetParam().dtype, n, in, 7), y(GetParam().dtype, n, out, 5), s(GetParam().dtype, n, 8, 3), d_y(GetParam().dtype, n, out, 1);
    Matrix d_x(GetParam().dtype, n, in, 9), gradients(DType::f32, 2, layer.parameters.columns(), 2);
    x.randomize(9);
    d_y.randomize(10);
    const std::vector<Leaf> leaves = {{0, 9}, {9, 5}};
    twice(stream, [&] { ops::linear(stream, y.view(), x.view(), layer.prepared, s.view(), {}, dropout); });
    twice(stream,
          [&] { ops::linear_backward(stream, d_x.view(), gradients.view(), d_y.view(), layer.prepared, x.view(), s.view(), leaves, dropout); });
    EXPECT_TRUE(y.spare_untouched() && s.spare_untouched() && d_x.spare_untouched() && gradients.spare_untouched());

    Twin twin(layer);
    std::vector<double> values, expected;
    for (std::int64_t t = 0; t < n; ++t)
        for (std::int64_t k = 0; k < in; ++k) values.push_back(static_cast<double>(x.at(t, k)));
    twin.loss(values, n, dropout, d_y, &expected);
    double largest = 0.0;
    for (const double v : expected) largest = std::max(largest, std::abs(v));
    for (std::int64_t t = 0; t < n; ++t)
        for (std::int64_t o = 0; o < out; ++o)
            test::expect_near(y.at(t, o), expected[static_cast<std::size_t>(t * out + o)], largest * tolerance(), "y");

    // The twin is linear in every number alone: a central difference is exact but for rounding.
    const auto slope = [&](double& number, const auto& loss) {
        const double kept = number;
        number = kept + 0.5;
        const double upper = loss();
        number = kept - 0.5;
        const double lower = loss();
        number = kept;
        return upper - lower;
    };
    std::vector<std::vector<double>> got(3), wanted(3);  // d_x, adapters, magnitudes
    for (std::int64_t i = 0; i < n * in; i += 3) {
        got[0].push_back(static_cast<double>(d_x.at(i / in, i % in)));
        wanted[0].push_back(slope(values[static_cast<std::size_t>(i)], [&] { return twin.loss(values, n, dropout, d_y); }));
    }
    for (std::int64_t i = 5; i < layer.parameters.columns(); ++i) {
        const bool magnitude = std::any_of(layer.slots.begin(), layer.slots.end(), [&](const AdapterSlot& slot) {
            return slot.offset_m >= 0 && i >= slot.offset_m && i < slot.offset_m + slot.out_size;
        });
        got[magnitude ? 2 : 1].push_back(static_cast<double>(gradients.at(0, i)) + static_cast<double>(gradients.at(1, i)));
        wanted[magnitude ? 2 : 1].push_back(slope(twin.parameters[static_cast<std::size_t>(i)], [&] { return twin.loss(values, n, dropout, d_y); }));
    }
    EXPECT_EQ(got[2].size(), GetParam().dora ? 35u : 0u);
    for (std::size_t kind = 0; kind < 3; ++kind) {
        double most = 0.0;
        for (const double v : wanted[kind]) most = std::max(most, std::abs(v));
        for (std::size_t i = 0; i < got[kind].size(); ++i)
            test::expect_near(got[kind][i], wanted[kind][i], most * tolerance() * 2, fmt::format("gradient {} of kind {}", i, kind));
    }
}

TEST_P(LinearVariants, RowsAndLeavesKeepTheirBitsInAnyCompany) {
    const std::int64_t total = 150, in = 96, out = 80;
    TestStream stream(GetParam().dtype == DType::f32 ? 1 : 2, GetParam().isa);
    Layer layer(stream, GetParam().dtype, in, out, {{0, 45, 5}, {48, 32, 16}}, false, 1, GetParam().dora);
    Numbers numbers(total);
    const DType dtype = GetParam().dtype;
    Matrix x(dtype, total, in), s(dtype, total, 21), d_y(dtype, total, out), y(dtype, total, out), d_x(dtype, total, in);
    Matrix gradients(DType::f32, 5, layer.parameters.columns());
    x.randomize(5);
    d_y.randomize(6);
    const std::vector<Leaf> leaves = {{0, 33}, {33, 1}, {34, 50}, {84, 0}, {84, 66}};
    const Dropout all = numbers.dropout(GetParam().probability, 0, total);
    ops::linear(stream, y.view(), x.view(), layer.prepared, s.view(), {}, all);
    ops::linear_backward(stream, d_x.view(), gradients.view(), d_y.view(), layer.prepared, x.view(), s.view(), leaves, all);
    for (const int threads : {1, 3}) {
        TestStream other(threads, GetParam().isa);
        for (std::size_t i = 0; i < leaves.size(); ++i) {
            const Leaf leaf = leaves[i];
            const auto part = [&](Matrix& whole) { return whole.view().rows(leaf.begin, leaf.length); };
            Matrix y_alone(dtype, leaf.length, out, 2), d_x_alone(dtype, leaf.length, in, 1), alone(DType::f32, 1, layer.parameters.columns());
            const Dropout dropout = numbers.dropout(GetParam().probability, leaf.begin, leaf.length);
            const std::vector<Leaf> one = {{0, leaf.length}};
            twice(other, [&] { ops::linear(other, y_alone.view(), part(x), layer.prepared, View(), {}, dropout); });
            twice(other,
                  [&] { ops::linear_backward(other, d_x_alone.view(), alone.view(), part(d_y), layer.prepared, part(x), part(s), one, dropout); });
            ASSERT_EQ(alone.row_bytes(0), gradients.row_bytes(static_cast<std::int64_t>(i))) << "leaf " << i << ", threads " << threads;
            for (std::int64_t r = 0; r < leaf.length; ++r) {
                ASSERT_EQ(y_alone.row_bytes(r), y.row_bytes(leaf.begin + r)) << r;
                ASSERT_EQ(d_x_alone.row_bytes(r), d_x.row_bytes(leaf.begin + r)) << r;
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, LinearVariants, ::testing::ValuesIn(cases()), name_of_case);

TEST(DropoutMask, IsTheSameForEveryInstructionSetAndDropsItsShare) {
    if (test::kDevice != Device::cpu) GTEST_SKIP() << "a test of the CPU";
    Numbers numbers(40);
    const Dropout dropout = numbers.dropout(0.1f, 0, 40);
    double dropped = 0.0;
    std::vector<float> expected(999), got(999);
    for (std::int64_t row = 0; row < 40; ++row) {
        const cpu::MaskRow mask_of_row = cpu::mask_row(dropout, row, 5);
        cpu::mask_factors_scalar(expected.data(), 0, 999, mask_of_row);
        for (const float factor : expected) dropped += factor == 0.0f ? 1.0 : 0.0;
        for (std::int64_t column = 0; column < 999; ++column)
            ASSERT_EQ(static_cast<double>(expected[static_cast<std::size_t>(column)]) > 0.0, mask(dropout, row, 5, column) > 0.0);
        for (const Isa isa : {Isa::avx2, Isa::avx512}) {
            if (isa > best_isa()) continue;
            for (const auto& [first, count] : {std::pair{0, 999}, {8, 17}, {256, 700}}) {
                cpu::mask_factors(isa, got.data(), first, count, mask_of_row);
                ASSERT_EQ(std::memcmp(got.data(), expected.data() + first, static_cast<std::size_t>(count) * sizeof(float)), 0) << name_of(isa);
            }
        }
    }
    EXPECT_NEAR(dropped / (40.0 * 999.0), 0.1, 0.006);  // four deviations
}

}  // namespace
}  // namespace temper
