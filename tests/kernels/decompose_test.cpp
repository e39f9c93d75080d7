// Factorisations against what defines them, tall and wide.
#include "kernels/decompose.h"

#include "tests/kernels/linear_support.h"

namespace temper {
namespace {

using test::Matrix;

// Largest difference of left * right from w.
double reconstruction_error(const Factors& factors, Matrix& w, std::int64_t count) {
    double worst = 0.0;
    for (std::int64_t r = 0; r < w.rows(); ++r)
        for (std::int64_t c = 0; c < w.columns(); ++c) {
            double sum = 0.0;
            for (std::int64_t i = 0; i < count; ++i)
                sum += static_cast<double>(factors.left[static_cast<std::size_t>(r * count + i)]) *
                       static_cast<double>(factors.right[static_cast<std::size_t>(i * w.columns() + c)]);
            worst = std::max(worst, std::abs(sum - static_cast<double>(w.at(r, c))));
        }
    return worst;
}

double squared_length(const std::vector<float>& values, std::int64_t begin, std::int64_t step, std::int64_t count) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < count; ++i) sum += std::pow(static_cast<double>(values[static_cast<std::size_t>(begin + i * step)]), 2);
    return sum;
}

TEST(Decompose, AllSingularTriplesGiveTheMatrixBack) {
    for (const auto& [rows, columns] : {std::pair<std::int64_t, std::int64_t>{40, 25}, {25, 40}, {30, 30}}) {
        Matrix w(DType::f32, rows, columns, 3);
        w.randomize(4);
        const std::int64_t all = std::min(rows, columns);
        const Factors factors = largest_singular(w.view(), all);
        EXPECT_LT(reconstruction_error(factors, w, all), 1e-4);
        // Both sides share a singular value evenly.
        for (std::int64_t i = 0; i < all; ++i) {
            EXPECT_NEAR(squared_length(factors.left, i, all, rows), factors.values[static_cast<std::size_t>(i)], 1e-4);
            EXPECT_NEAR(squared_length(factors.right, i * columns, 1, columns), factors.values[static_cast<std::size_t>(i)], 1e-4);
        }
    }
}

TEST(Decompose, FewTriplesAreTheLargest) {
    Matrix w(DType::f32, 40, 25);
    w.randomize(5);
    const Factors few = largest_singular(w.view(), 4), all = largest_singular(w.view(), 25);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(few.values[i], all.values[i], 1e-9);
    EXPECT_GT(all.values[3], all.values[4]);
    // A matrix of rank 2 has nothing beyond, and no NaN.
    Matrix thin(DType::f32, 20, 30);
    for (std::int64_t r = 0; r < 20; ++r)
        for (std::int64_t c = 0; c < 30; ++c) thin.set(r, c, static_cast<float>(r) + static_cast<float>(c * c) * 0.01f);
    const Factors two = largest_singular(thin.view(), 6);
    EXPECT_LT(reconstruction_error(two, thin, 6), 1e-4);
}

TEST(Decompose, IterationsComeNearAndAreTheSameTwice) {
    for (const auto& [rows, columns] : {std::pair<std::int64_t, std::int64_t>{90, 60}, {60, 90}}) {
        Matrix w(DType::f32, rows, columns);
        w.randomize(6);
        const Factors exact = largest_singular(w.view(), 5), near = approximate_singular(w.view(), 5, 60, 1, 2);
        for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(near.values[i], exact.values[i], exact.values[i] * 2e-3) << i;
        const Factors rough = approximate_singular(w.view(), 5, 0, 1, 2), again = approximate_singular(w.view(), 5, 60, 1, 2);
        EXPECT_LT(rough.values[0], exact.values[0] * 0.999);
        EXPECT_EQ(near.left, again.left);
        EXPECT_EQ(near.right, again.right);
    }
}

TEST(Decompose, QrGivesTheMatrixBackFromColumnsOfLengthOne) {
    for (const auto& [rows, columns] : {std::pair<std::int64_t, std::int64_t>{40, 25}, {25, 40}}) {
        Matrix w(DType::f32, rows, columns, 2);
        w.randomize(7);
        const std::int64_t all = std::min(rows, columns);
        const Factors factors = leading_qr(w.view(), all);
        EXPECT_LT(reconstruction_error(factors, w, all), 1e-4);
        for (std::int64_t i = 0; i < all; ++i) EXPECT_NEAR(squared_length(factors.left, i, all, rows), 1.0, 1e-5);
        for (std::int64_t i = 1; i < all; ++i) EXPECT_EQ(factors.right[static_cast<std::size_t>(i * columns)], 0.0f);
    }
}

}  // namespace
}  // namespace temper
