// Linear + cross-entropy against double precision and finite differences, and its row law.
#include <algorithm>

#include "tests/kernels/linear_support.h"

namespace temper {
namespace {

using test::expect_near;
using test::isas;
using test::kBf16Step;
using test::Layer;
using test::Matrix;
using test::TestStream;
using test::twice;
using test::Vector;
using test::view_of;

struct Losses {
    Vector<float> nll;
    Vector<std::int32_t> correct;
    Matrix d_x;

    Losses(Stream& stream, Layer& head, Matrix& x, const std::vector<std::int32_t>& rows, const std::vector<std::int32_t>& labels, float scale,
           bool backward = true, float softcap = 0.0f)
        : nll(rows.size()), correct(rows.size()), d_x(x.dtype(), x.rows(), x.columns(), 3) {
        twice(stream, [&] {
            ops::linear_cross_entropy(stream, view_of(nll), view_of(correct), backward ? d_x.view() : View(), x.view(), head.prepared, rows, labels,
                                      scale, softcap);
        });
    }
};

std::vector<double> logits_of(const Layer& head, const Matrix& x, std::int64_t row, double softcap = 0.0) {
    std::vector<double> logits(static_cast<std::size_t>(head.out));
    for (std::int64_t o = 0; o < head.out; ++o)
        for (std::int64_t k = 0; k < head.in; ++k) logits[static_cast<std::size_t>(o)] += static_cast<double>(x.at(row, k)) * head.weight.at(o, k);
    if (softcap > 0.0)
        for (double& logit : logits) logit = softcap * std::tanh(logit / softcap);
    return logits;
}

void check_against_double(DType dtype, Isa isa, std::int64_t n, std::int64_t width, std::int64_t vocabulary, float softcap = 0.0f) {
    TestStream stream(2, isa);
    Layer head(stream, dtype, width, vocabulary, {}, false);
    Matrix x(dtype, n, width, 5);
    x.randomize(8);
    std::vector<std::int32_t> rows, labels;
    for (std::int32_t i = 0; i < n; i += 1 + i % 3) {
        rows.push_back(i);
        labels.push_back(static_cast<std::int32_t>((i * 31 + 7) % vocabulary));
    }
    const auto first_logits = logits_of(head, x, 0, softcap);
    labels[0] = static_cast<std::int32_t>(std::max_element(first_logits.begin(), first_logits.end()) - first_logits.begin());
    const float scale = 0.125f;
    const Losses got(stream, head, x, rows, labels, scale, true, softcap);
    EXPECT_TRUE(got.d_x.spare_untouched());
    EXPECT_EQ(got.correct[0], 1);
    std::size_t next = 0;
    for (std::int64_t row = 0; row < n; ++row) {
        if (next == rows.size() || rows[next] != row) {
            for (std::int64_t k = 0; k < width; ++k) ASSERT_EQ(got.d_x.at(row, k), 0.0f);
            continue;
        }
        const std::vector<double> logits = logits_of(head, x, row, softcap);
        const double largest = *std::max_element(logits.begin(), logits.end());
        double sum = 0.0;
        for (const double logit : logits) sum += std::exp(logit - largest);
        const std::size_t label = static_cast<std::size_t>(labels[next]);
        expect_near(got.nll[next], std::log(sum) + largest - logits[label], 2e-5, "nll");
        EXPECT_EQ(got.correct[next], logits[label] == largest ? 1 : 0);
        const double rounding = dtype == DType::f32 ? 2e-5 : kBf16Step / 2;
        for (std::int64_t k = 0; k < width; ++k) {
            double gradient = 0.0, slack = 0.0;
            for (std::size_t o = 0; o < logits.size(); ++o) {
                const double t = softcap > 0.0f ? logits[o] / softcap : 0.0;
                const double p = (std::exp(logits[o] - largest) / sum - (o == label ? 1.0 : 0.0)) * (1.0 - t * t) * scale;
                const double weight = head.weight.at(static_cast<std::int64_t>(o), k);
                gradient += p * weight;
                slack += std::abs(p * weight) * rounding * 1.05;
            }
            expect_near(got.d_x.at(row, k), gradient, slack + std::abs(gradient) * rounding + 1e-7, "d_x");
        }
        ++next;
    }
    const Losses evaluated(stream, head, x, rows, labels, scale, false, softcap);
    EXPECT_EQ(evaluated.nll, got.nll);
    EXPECT_EQ(evaluated.correct, got.correct);
}

TEST(CrossEntropy, AgreesWithDoublePrecision) {
    for (const Isa isa : isas()) {
        SCOPED_TRACE(name_of(isa));
        check_against_double(DType::bf16, isa, 50, 40, 77);
        check_against_double(DType::bf16, isa, 9, 64, 2085);
        check_against_double(DType::bf16, isa, 50, 40, 77, 1.5f);
        check_against_double(DType::bf16, isa, 9, 64, 2085, 5.0f);
    }
    check_against_double(DType::f32, best_isa(), 150, 40, 77);
    check_against_double(DType::f32, best_isa(), 150, 40, 77, 2.0f);
    check_against_double(DType::f32, Isa::avx2, 9, 64, 2085);
}

TEST(CrossEntropy, RowsKeepTheirBitsInAnyCompany) {
    for (const DType dtype : {DType::bf16, DType::f32}) {
        for (const Isa isa : dtype == DType::bf16 ? isas() : std::vector<Isa>{best_isa()}) {
            TestStream stream(2, isa);
            Layer head(stream, dtype, 48, 1100, {}, false);
            const std::int64_t n = 260;
            Matrix x(dtype, n, 48);
            x.randomize(8);
            std::vector<std::int32_t> rows, labels;
            for (std::int32_t i = 0; i < n; ++i) {
                rows.push_back(i);
                labels.push_back((i * 17) % 1100);
            }
            const Losses whole(stream, head, x, rows, labels, 0.01f);
            for (const int threads : {1, 3}) {
                TestStream other(threads, isa);
                for (std::int32_t first = 0; first < n; first += 41) {
                    const std::vector<std::int32_t> some(rows.begin() + first, rows.begin() + std::min<std::int64_t>(n, first + first / 4 + 1));
                    const std::vector<std::int32_t> their_labels(labels.begin() + first,
                                                                 labels.begin() + first + static_cast<std::int64_t>(some.size()));
                    const Losses part(other, head, x, some, their_labels, 0.01f);
                    for (std::size_t i = 0; i < some.size(); ++i) {
                        ASSERT_EQ(part.nll[i], whole.nll[static_cast<std::size_t>(some[i])]) << name_of(isa);
                        ASSERT_EQ(part.d_x.row_bytes(some[i]), whole.d_x.row_bytes(some[i])) << name_of(isa);
                    }
                }
            }
        }
    }
}

TEST(CrossEntropy, FiniteDifferences) {
    TestStream stream(1);
    Layer head(stream, DType::f32, 12, 19, {}, false);
    Matrix x(DType::f32, 5, 12);
    x.randomize(4);
    const std::vector<std::int32_t> rows = {0, 2, 3}, labels = {4, 0, 18};
    const Losses analytic(stream, head, x, rows, labels, 1.0f);
    const auto total = [&] {
        const Losses losses(stream, head, x, rows, labels, 1.0f, false);
        double sum = 0.0;
        for (const float nll : losses.nll) sum += nll;
        return sum;
    };
    for (std::int64_t r = 0; r < 5; ++r) {
        for (std::int64_t k = 0; k < 12; ++k) {
            const float value = x.at(r, k), step = 1e-2f;
            x.set(r, k, value + step);
            const double above = total();
            x.set(r, k, value - step);
            const double below = total();
            x.set(r, k, value);
            expect_near(analytic.d_x.at(r, k), (above - below) / (2.0 * step), 3e-4, "d_x");
        }
    }
}

// nll first, then the gradient of the weight.
Vector<float> weight_gradient(Stream& stream, Layer& head, Matrix& x, const std::vector<std::int32_t>& rows, const std::vector<std::int32_t>& labels,
                              float scale, float softcap) {
    Losses losses(stream, head, x, rows, labels, scale, false, softcap);
    Vector<float> d_weight(static_cast<std::size_t>(head.out * head.in), -1.0f);
    ops::linear_cross_entropy_weight(stream, view_of(d_weight, {head.out, head.in}), x.view(), head.prepared, view_of(losses.nll), rows, labels,
                                     scale, softcap);
    test::synchronize();
    return d_weight;
}

void check_weight_gradient(DType dtype, Isa isa, std::int64_t n, std::int64_t width, std::int64_t vocabulary, float softcap) {
    TestStream stream(2, isa), single(1, isa);
    Layer head(stream, dtype, width, vocabulary, {}, false);
    Matrix x(dtype, n, width, 5);
    x.randomize(8);
    std::vector<std::int32_t> rows, labels;
    for (std::int32_t i = 0; i < n; i += 1 + i % 3) {
        rows.push_back(i);
        labels.push_back(static_cast<std::int32_t>((i * 31 + 7) % vocabulary));
    }
    const float scale = 0.125f;
    const Vector<float> got = weight_gradient(stream, head, x, rows, labels, scale, softcap);
    EXPECT_EQ(got, weight_gradient(single, head, x, rows, labels, scale, softcap));
    std::vector<double> expected(got.size()), slack(got.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::vector<double> logits = logits_of(head, x, rows[i], softcap);
        double sum = 0.0;
        for (const double logit : logits) sum += std::exp(logit);
        for (std::size_t o = 0; o < logits.size(); ++o) {
            const double t = softcap > 0.0f ? logits[o] / softcap : 0.0;
            const double p = (std::exp(logits[o]) / sum - (o == static_cast<std::size_t>(labels[i]) ? 1.0 : 0.0)) * (1.0 - t * t) * scale;
            for (std::int64_t k = 0; k < width; ++k) {
                const std::size_t at = o * static_cast<std::size_t>(width) + static_cast<std::size_t>(k);
                expected[at] += p * static_cast<double>(x.at(rows[i], k));
                slack[at] += std::abs(p * static_cast<double>(x.at(rows[i], k))) * 2e-5;
            }
        }
    }
    for (std::size_t i = 0; i < got.size(); ++i) expect_near(got[i], expected[i], slack[i] + 1e-8, "d_weight");
}

TEST(CrossEntropy, GradientOfTheWeightAgreesWithDoublePrecision) {
    for (const Isa isa : isas())
        for (const DType dtype : {DType::bf16, DType::f32})
            for (const float softcap : {0.0f, 3.0f}) {
                SCOPED_TRACE(name_of(isa));
                check_weight_gradient(dtype, isa, 50, 40, 77, softcap);
                check_weight_gradient(dtype, isa, 9, 33, 1170, softcap);
            }
}

TEST(CrossEntropy, WithoutLabelsTheWeightHasNoGradient) {
    TestStream stream(1);
    Layer head(stream, DType::bf16, 12, 19, {}, false);
    Matrix x(DType::bf16, 3, 12);
    x.randomize(4);
    EXPECT_EQ(weight_gradient(stream, head, x, {}, {}, 1.0f, 0.0f), Vector<float>(19 * 12, 0.0f));
}

// A label that is nearly sure, and a long tail whose every term is beneath the rounding of the label's: with equal weights in a column
// the gradient there is zero, and so is what must be left of 1 - p.
TEST(CrossEntropy, TheTailOfASurePredictionIsNotLost) {
    const std::int64_t vocabulary = 20000;
    for (const Isa isa : isas()) {
        TestStream stream(1, isa);
        Layer head(stream, DType::bf16, 32, 40, {}, false);
        Matrix weight(DType::bf16, vocabulary, 32), x(DType::bf16, 1, 32);
        for (std::int64_t o = 0; o < vocabulary; ++o)
            for (std::int64_t k = 0; k < 32; ++k) weight.set(o, k, k == 0 ? 1.0f : k == 1 && o == 7 ? 17.0f : 0.0f);
        for (std::int64_t k = 0; k < 32; ++k) x.set(0, k, k == 1 ? 1.0f : 0.0f);
        const std::vector<View> parts = {weight.view()};
        head.prepared = PreparedLinear(stream, parts, View(), {}, {});
        const Losses got(stream, head, x, {0}, {7}, 1.0f);
        const double others = static_cast<double>(vocabulary - 1) * std::exp(-17.0), missing = others / (1.0 + others);
        expect_near(got.nll[0], std::log1p(others), 1e-6, name_of(isa));
        expect_near(got.d_x.at(0, 0), 0.0, missing * kBf16Step, std::string(name_of(isa)) + " the column of equal weights");
        expect_near(got.d_x.at(0, 1), -17.0 * missing, 17.0 * missing * kBf16Step, std::string(name_of(isa)) + " the label's column");
    }
}

TEST(CrossEntropy, FirstLargestLogitCountsAndNanIsNotHidden) {
    for (const Isa isa : isas()) {
        TestStream stream(1, isa);
        Layer head(stream, DType::bf16, 32, 50, {}, false);
        Matrix weight(DType::bf16, 50, 32), x(DType::bf16, 2, 32);
        for (std::int64_t o = 0; o < 50; ++o)
            for (std::int64_t k = 0; k < 32; ++k) weight.set(o, k, o == 20 || o == 40 ? 1.0f : 0.5f);
        for (std::int64_t k = 0; k < 32; ++k) {
            x.set(0, k, 1.0f);
            x.set(1, k, 1.0f);
        }
        const std::vector<View> parts = {weight.view()};
        head.prepared = PreparedLinear(stream, parts, View(), {}, {});
        const std::vector<std::int32_t> rows = {0, 1};
        EXPECT_EQ(Losses(stream, head, x, rows, {20, 40}, 1.0f).correct, (Vector<std::int32_t>{1, 0})) << name_of(isa);
        x.set(1, 3, std::numeric_limits<float>::quiet_NaN());
        const Losses broken(stream, head, x, rows, {20, 40}, 1.0f);
        EXPECT_FALSE(std::isnan(broken.nll[0]));
        EXPECT_TRUE(std::isnan(broken.nll[1]));
        EXPECT_EQ(broken.correct[1], 0);
    }
}

}  // namespace
}  // namespace temper
