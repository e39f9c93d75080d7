// AdamW, global norm, sum and the search for non-finite numbers.
#include "common.h"
#include "kernels/ops.h"

namespace temper::test {
namespace {

TEST(adamw, follows_the_formula_for_five_steps) {
    const std::int64_t count = 40001;
    Random random(1);
    Numbers p(DType::f32, 1, count), g(DType::f32, 1, count), m(DType::f32, 1, count), v(DType::f32, 1, count);
    p.random(random), m.fill(0), v.fill(0);
    std::vector<double> dp, dm(static_cast<std::size_t>(count), 0.0), dv(static_cast<std::size_t>(count), 0.0);
    for (std::int64_t i = 0; i < count; ++i) dp.push_back(p.at(0, i));
    const double rate = 1e-3, b1 = 0.9, b2 = 0.999, eps = 1e-8, decay = 0.1, clip = 0.37;
    for (int step = 1; step <= 5; ++step) {
        g.random(random);
        TestStream stream(2);
        ops::adamw(stream, p.flat(), g.flat(), m.flat(), v.flat(), static_cast<float>(clip), {rate, b1, b2, eps, decay, step});
        for (std::size_t i = 0; i < dp.size(); ++i) {
            const double gradient = g.at(0, static_cast<std::int64_t>(i)) * clip;
            dm[i] = b1 * dm[i] + (1 - b1) * gradient, dv[i] = b2 * dv[i] + (1 - b2) * gradient * gradient;
            dp[i] =
                dp[i] * (1 - rate * decay) - rate / (1 - std::pow(b1, step)) * dm[i] / (std::sqrt(dv[i]) / std::sqrt(1 - std::pow(b2, step)) + eps);
        }
    }
    for (std::size_t i = 0; i < dp.size(); ++i) {
        const auto at = static_cast<std::int64_t>(i);
        ASSERT_TRUE(close(p.at(0, at), dp[i], 2e-6, 2e-6)) << i << ": " << p.at(0, at) << " " << dp[i];
        ASSERT_TRUE(close(m.at(0, at), dm[i], 1e-7, 1e-5) && close(v.at(0, at), dv[i], 1e-9, 1e-5)) << i;
    }
}

TEST(global_norm, is_exact_and_the_same_on_any_threads) {
    for (const std::int64_t count : {1, 7, 8, 16384, 100003}) {
        Random random(2);
        Numbers x(DType::f32, 1, count);
        x.random(random, 1e3f);
        long double squares = 0;
        for (std::int64_t i = 0; i < count; ++i) squares += static_cast<long double>(x.at(0, i)) * static_cast<long double>(x.at(0, i));
        TestStream one(1), two(2);
        const double norm = ops::global_norm(one, x.flat());
        EXPECT_TRUE(close(norm, static_cast<double>(std::sqrt(squares)), 0, 1e-14));
        EXPECT_EQ(std::bit_cast<std::uint64_t>(norm), std::bit_cast<std::uint64_t>(ops::global_norm(two, x.flat())));
    }
}

TEST(add, adds) {
    Random random(3);
    Numbers x(DType::f32, 1, 40000), y(DType::f32, 1, 40000);
    x.random(random), y.random(random);
    const Numbers before = y;
    TestStream stream(2);
    ops::add(stream, y.flat(), x.flat());
    for (std::int64_t i = 0; i < 40000; ++i) ASSERT_EQ(y.at(0, i), before.at(0, i) + x.at(0, i));
}

TEST(first_non_finite, finds_the_first) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
        Numbers flat(dtype, 1, 100000), matrix(dtype, 50, 30, 33);
        flat.fill(1), matrix.fill(-2);
        TestStream stream(2);
        EXPECT_EQ(ops::first_non_finite(stream, flat.flat()), -1);
        EXPECT_EQ(ops::first_non_finite(stream, matrix.view()), -1);
        flat.set(0, 99999, quiet_nan());
        EXPECT_EQ(ops::first_non_finite(stream, flat.flat()), 99999);
        flat.set(0, 20000, -std::numeric_limits<float>::infinity()), flat.set(0, 20001, quiet_nan());
        EXPECT_EQ(ops::first_non_finite(stream, flat.flat()), 20000);
        matrix.set(40, 2, quiet_nan()), matrix.set(7, 29, std::numeric_limits<float>::infinity());
        EXPECT_EQ(ops::first_non_finite(stream, matrix.view()), 7 * 30 + 29);
    }
}

}  // namespace
}  // namespace temper::test
