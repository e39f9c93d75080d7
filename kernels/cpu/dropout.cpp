#include "kernels/cpu/dropout.h"

#include <cmath>

#include "kernels/cpu/rows.h"
#include "kernels/random.h"

namespace temper::cpu {

MaskRow mask_row(const Dropout& dropout, std::int64_t row, std::int64_t module) {
    MaskRow mask;
    // Step 0 of a seed is not the stream that the adapter's start was drawn from.
    mask.key = dropout.seed + (dropout.step + 1) * 0x9E3779B97F4A7C15u;
    mask.stream =
        static_cast<std::uint64_t>(dropout.rows.as<std::int32_t>()[row]) << 32 | static_cast<std::uint32_t>(dropout.tokens.as<std::int32_t>()[row]);
    mask.module = static_cast<std::uint64_t>(module);
    mask.dropped = static_cast<std::uint32_t>(std::lround(static_cast<double>(dropout.probability) * 65536.0));
    mask.kept = static_cast<float>(1.0 / (1.0 - static_cast<double>(dropout.probability)));
    return mask;
}

void mask_factors(Isa isa, float* factors, std::int64_t first, std::int64_t count, const MaskRow& mask) {
    if (isa == Isa::scalar) mask_factors_scalar(factors, first, count, mask);
    else if (isa == Isa::avx2) mask_factors_avx2(factors, first, count, mask);
    else mask_factors_avx512(factors, first, count, mask);
}

// The definition, one element at a time.
void mask_factors_scalar(float* factors, std::int64_t first, std::int64_t count, const MaskRow& mask) {
    for (std::int64_t i = 0; i < count; ++i) {
        const auto column = static_cast<std::uint64_t>(first + i);
        const std::uint32_t word = philox(mask.key, mask.stream, mask.module << 32 | column / 8)[column % 8 / 2];
        factors[i] = (column % 2 == 0 ? word & 0xffffu : word >> 16) < mask.dropped ? 0.0f : mask.kept;
    }
}

void drop_row(Isa isa, float* to, const float* x, float* factors, std::int64_t columns, const MaskRow& mask) {
    mask_factors(isa, factors, 0, columns, mask);
    for (std::int64_t i = 0; i < columns; ++i) to[i] = x[i] * factors[i];
}

void drop_row(Isa isa, bf16* to, const bf16* x, float* factors, std::int64_t columns, const MaskRow& mask) {
    const RowKernels<bf16>& kernels = row_kernels<bf16>(isa);
    float* const wide = factors + columns;
    mask_factors(isa, factors, 0, columns, mask);
    kernels.widen(wide, x, columns);
    for (std::int64_t i = 0; i < columns; ++i) wide[i] *= factors[i];
    kernels.narrow(to, wide, columns);
}

}  // namespace temper::cpu
