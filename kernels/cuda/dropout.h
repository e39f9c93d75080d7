// Masks of LoRA dropout, the same bits as kernels/cpu/dropout.h makes: a pure function of (seed, step, row, token, module, column).
#pragma once
#include <cmath>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/vectors.h"

namespace temper::cuda {

struct Mask {
    Global<const std::uint64_t> key;  // one, which differs from step to step: in a table, so that launches do not
    std::uint32_t dropped = 0;        // an element is dropped where its 16 bits are below
    float kept = 1.0f;                // what the others are multiplied by
    Global<const std::int32_t> rows, tokens;
};

inline Mask mask_of(Stream& stream, const Dropout& dropout) {
    Mask mask;
    const std::uint64_t key = dropout.seed + (dropout.step + 1) * 0x9E3779B97F4A7C15u;
    mask.key = upload(stream, Span<const std::uint64_t>(&key, 1));
    mask.dropped = static_cast<std::uint32_t>(std::lround(static_cast<double>(dropout.probability) * 65536.0));
    mask.kept = static_cast<float>(1.0 / (1.0 - static_cast<double>(dropout.probability)));
    mask.rows = global<const std::int32_t>(dropout.rows);
    mask.tokens = global<const std::int32_t>(dropout.tokens);
    return mask;
}

// Factors of columns [column, column + 8) of a row of x; column is a multiple of 8. Philox4x32-10 as in kernels/random.h.
__device__ inline Eight mask_factors(const Mask& mask, std::int64_t row, std::int32_t module, std::int64_t column) {
    std::uint32_t c0 = static_cast<std::uint32_t>(column / 8), c1 = static_cast<std::uint32_t>(module);
    std::uint32_t c2 = static_cast<std::uint32_t>(mask.tokens[row]), c3 = static_cast<std::uint32_t>(mask.rows[row]);
    const std::uint64_t key = mask.key[0];
    std::uint32_t key0 = static_cast<std::uint32_t>(key), key1 = static_cast<std::uint32_t>(key >> 32);
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * c0, product1 = std::uint64_t{0xCD9E8D57u} * c2;
        c0 = static_cast<std::uint32_t>(product1 >> 32) ^ c1 ^ key0;
        c1 = static_cast<std::uint32_t>(product1);
        c2 = static_cast<std::uint32_t>(product0 >> 32) ^ c3 ^ key1;
        c3 = static_cast<std::uint32_t>(product0);
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    const std::uint32_t words[4] = {c0, c1, c2, c3};
    Eight factors;
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
        const std::uint32_t bits = i % 2 == 0 ? words[i / 2] & 0xffffu : words[i / 2] >> 16;
        factors[i] = bits < mask.dropped ? 0.0f : mask.kept;
    }
    return factors;
}

}  // namespace temper::cuda
