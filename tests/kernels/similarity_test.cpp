// Products of int8 rows in every variant against plain loops, and the bounds of what the codes lose against what they lose.
#include "kernels/similarity.h"

#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace temper::similarity {
namespace {

TEST(Similarity, VariantsAgreeWithLoops) {
    std::mt19937 random(1);
    for (const Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512}) {
        if (isa > best_isa()) continue;
        const Kernels kernels = kernels_for(isa);
        for (const std::int64_t dimensions : {1, 63, 64, 65, 384, 8192}) {
            const std::int64_t width = padded(dimensions), rows = 7;
            std::vector<std::int8_t> codes(static_cast<std::size_t>(rows * width));
            std::vector<std::int16_t> query(static_cast<std::size_t>(width));
            const bool extreme = dimensions == 8192;  // the largest sum there is
            for (auto& code : codes) code = extreme ? std::int8_t(127) : static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
            for (auto& code : query) code = extreme ? std::int16_t(-2047) : static_cast<std::int16_t>(static_cast<int>(random() % 4095) - 2047);
            std::vector<std::int32_t> out(rows);
            kernels.products(out.data(), codes.data(), rows, width, query.data());
            for (std::int64_t n = 0; n < rows; ++n) {
                std::int64_t sum = 0, pair = 0;
                for (std::int64_t i = 0; i < width; ++i) {
                    sum += codes[static_cast<std::size_t>(n * width + i)] * query[static_cast<std::size_t>(i)];
                    pair += codes[static_cast<std::size_t>(n * width + i)] * codes[static_cast<std::size_t>(i)];
                }
                EXPECT_EQ(out[static_cast<std::size_t>(n)], sum);
                EXPECT_EQ(kernels.product(codes.data() + n * width, codes.data(), width), pair);
            }
        }
    }
}

template <class T> void expect_bounds(const Code& code, const std::vector<T>& codes, const std::vector<float>& x, double limit) {
    double lost = 0, reach = 0;
    for (std::size_t i = 0; i < codes.size(); ++i) {
        if (i >= x.size()) {
            EXPECT_EQ(codes[i], 0);
            continue;
        }
        EXPECT_LE(std::abs(static_cast<double>(codes[i])), limit);
        const double kept = static_cast<double>(code.scale) * codes[i];
        lost += (x[i] - kept) * (x[i] - kept);
        reach += kept * kept;
    }
    EXPECT_GE(code.lost, std::sqrt(lost));
    EXPECT_LE(code.lost, std::sqrt(lost) * 1.001 + 1e-6 * std::sqrt(reach));
    EXPECT_GE(code.reach, std::sqrt(reach));
    EXPECT_LE(code.reach, std::sqrt(reach) * 1.001);
    const double half_steps = 0.51 * code.scale * std::sqrt(static_cast<double>(x.size()));
    EXPECT_LE(code.lost, half_steps + 1e-6 * code.reach + 1e-30);
}

TEST(Similarity, BoundsHoldAndVariantsGiveTheSameCodes) {
    std::mt19937 random(2);
    std::normal_distribution<float> normal;
    for (const float scale : {1.0f, 1e-15f, 1e15f, 0.0f})
        for (const std::int64_t dimensions : {1, 5, 8, 64, 100, 384, 8192}) {
            std::vector<float> x(static_cast<std::size_t>(dimensions));
            for (float& number : x) number = normal(random) * scale;
            const auto width = static_cast<std::size_t>(padded(dimensions));
            std::vector<std::int16_t> query(width, 1);
            const Code query_code = encode_query(query.data(), x.data(), dimensions);
            expect_bounds(query_code, query, x, 2047);
            std::vector<std::int8_t> first(width, 1);
            const Code first_code = kernels_for(Isa::scalar).encode(first.data(), x.data(), dimensions);
            for (const Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512}) {
                if (isa > best_isa()) continue;
                std::vector<std::int8_t> codes(width, 1);
                const Code code = kernels_for(isa).encode(codes.data(), x.data(), dimensions);
                expect_bounds(code, codes, x, 127);
                EXPECT_EQ(codes, first);
                EXPECT_EQ(code.scale, first_code.scale);
            }
        }
}

TEST(Similarity, DotIsExactWhereItCanBe) {
    std::vector<float> x(19), y(19);
    double sum = 0;
    for (std::size_t i = 0; i < 19; ++i) {
        x[i] = static_cast<float>(i) - 9.5f;
        y[i] = static_cast<float>(i * i) / 8;
        sum += static_cast<double>(x[i]) * static_cast<double>(y[i]);
    }
    EXPECT_EQ(dot(x.data(), y.data(), 19), sum);
    EXPECT_EQ(dot(x.data(), y.data(), 0), 0);
}

}  // namespace
}  // namespace temper::similarity
