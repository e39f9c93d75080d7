// Vector math of the row kernels: accuracy of exp through swiglu, bits of tails, and agreement of conversions with tensor.h.
#include "kernels/cpu/rows.h"

#include <bit>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/stream.h"

namespace temper {
namespace {

std::vector<Isa> isas() {
    std::vector<Isa> result;
    for (const Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512})
        if (isa <= best_isa()) result.push_back(isa);
    return result;
}

// silu(g) * 1 = g / (1 + exp(-g)): for g = -x with large x, its relative error is that of exp.
TEST(rows, exp_is_within_two_ulp) {
    for (const Isa isa : isas()) {
        std::vector<float> gate, one;
        for (float x = 20.0f; x < 80.0f; x += 0.00037f) gate.push_back(-x), one.push_back(1.0f);
        std::vector<float> out(gate.size());
        cpu::row_kernels<float>(isa).swiglu(out.data(), gate.data(), one.data(), static_cast<std::int64_t>(out.size()));
        double worst = 0;
        for (std::size_t i = 0; i < out.size(); ++i) {
            const double g = gate[i], expected = g / (1 + std::exp(-g));
            worst = std::max(worst, std::abs(out[i] / expected - 1));
        }
        // 1 + exp, the quotient, and the product round as well: 4 roundings of 2^-24 and exp's own 2 ulp.
        EXPECT_LT(worst, 5.0e-7) << name_of(isa);
    }
}

TEST(rows, swiglu_limits) {
    const float infinity = std::numeric_limits<float>::infinity();
    for (const Isa isa : isas()) {
        const std::vector<float> gate = {0.0f, 100.0f, -200.0f, infinity, std::nanf(""), -88.0f, 3e38f};
        const std::vector<float> up(gate.size(), 1.0f);
        std::vector<float> out(gate.size());
        cpu::row_kernels<float>(isa).swiglu(out.data(), gate.data(), up.data(), static_cast<std::int64_t>(out.size()));
        EXPECT_EQ(out[0], 0.0f);
        EXPECT_EQ(out[1], 100.0f);
        EXPECT_EQ(out[2], 0.0f);
        EXPECT_EQ(out[3], infinity);
        EXPECT_TRUE(std::isnan(out[4]));
        EXPECT_LT(std::abs(out[5]), 1e-35f);
        EXPECT_EQ(out[6], 3e38f);
    }
}

TEST(rows, a_tail_has_the_bits_of_the_body) {
    for (const Isa isa : isas()) {
        std::vector<float> gate(64), up(64), whole(64), part(64, -1.0f);
        for (std::size_t i = 0; i < 64; ++i) gate[i] = std::sin(static_cast<float>(i)) * 5, up[i] = 1.0f + static_cast<float>(i);
        const auto& rows = cpu::row_kernels<float>(isa);
        rows.swiglu(whole.data(), gate.data(), up.data(), 64);
        for (std::int64_t begin = 0; begin < 20; ++begin) {
            for (std::int64_t n = 1; n < 40; ++n) {
                rows.swiglu(part.data(), gate.data() + begin, up.data() + begin, n);
                for (std::int64_t i = 0; i < n; ++i)
                    ASSERT_EQ(std::bit_cast<std::uint32_t>(part[static_cast<std::size_t>(i)]),
                              std::bit_cast<std::uint32_t>(whole[static_cast<std::size_t>(begin + i)]));
            }
        }
    }
}

TEST(rows, narrow_rounds_as_to_bf16) {
    std::vector<float> values;
    for (std::uint64_t bits = 0; bits < 0x100000000ull; bits += 0x1b3f1) values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    for (const std::uint32_t bits : {0x3f808000u, 0x3f818000u, 0x7f7fffffu, 0x7f800000u, 0xff800000u, 0x7f800001u, 0x00000001u, 0x80000000u})
        values.push_back(std::bit_cast<float>(bits));
    for (const Isa isa : isas()) {
        std::vector<bf16> out(values.size());
        std::vector<float> back(values.size());
        cpu::row_kernels<bf16>(isa).narrow(out.data(), values.data(), static_cast<std::int64_t>(values.size()));
        cpu::row_kernels<bf16>(isa).widen(back.data(), out.data(), static_cast<std::int64_t>(values.size()));
        for (std::size_t i = 0; i < values.size(); ++i) {
            ASSERT_EQ(out[i], to_bf16(values[i])) << std::bit_cast<std::uint32_t>(values[i]);
            ASSERT_EQ(std::bit_cast<std::uint32_t>(back[i]), std::bit_cast<std::uint32_t>(from_bf16(out[i])));
        }
    }
}

}  // namespace
}  // namespace temper
