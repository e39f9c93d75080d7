// Philox4x32-10 (kernels/random.h) on many counters at a time; compiled once for each instruction set by dropout*.cpp.
#pragma once
#include <algorithm>

#include "kernels/cpu/dropout.h"

namespace temper::cpu {
namespace {

constexpr int kCounters = 32;  // of one round: 256 columns

inline void mask_factors_body(float* factors, std::int64_t first, std::int64_t count, const MaskRow& mask) {
    for (std::int64_t begin = 0; begin < count; begin += 8 * kCounters) {
        std::uint32_t c0[kCounters], c1[kCounters], c2[kCounters], c3[kCounters];
        for (int i = 0; i < kCounters; ++i) {
            const std::uint64_t index = mask.module << 32 | static_cast<std::uint64_t>((first + begin) / 8 + i);
            c0[i] = static_cast<std::uint32_t>(index);
            c1[i] = static_cast<std::uint32_t>(index >> 32);
            c2[i] = static_cast<std::uint32_t>(mask.stream);
            c3[i] = static_cast<std::uint32_t>(mask.stream >> 32);
        }
        std::uint32_t key0 = static_cast<std::uint32_t>(mask.key), key1 = static_cast<std::uint32_t>(mask.key >> 32);
        for (int round = 0; round < 10; ++round, key0 += 0x9E3779B9u, key1 += 0xBB67AE85u)
            for (int i = 0; i < kCounters; ++i) {
                const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * c0[i], product1 = std::uint64_t{0xCD9E8D57u} * c2[i];
                c0[i] = static_cast<std::uint32_t>(product1 >> 32) ^ c1[i] ^ key0;
                c1[i] = static_cast<std::uint32_t>(product1);
                c2[i] = static_cast<std::uint32_t>(product0 >> 32) ^ c3[i] ^ key1;
                c3[i] = static_cast<std::uint32_t>(product0);
            }
        float block[8 * kCounters];
        const auto factor = [&](std::uint32_t bits) { return bits < mask.dropped ? 0.0f : mask.kept; };
        for (int i = 0; i < kCounters; ++i) {
            const std::uint32_t words[4] = {c0[i], c1[i], c2[i], c3[i]};
            for (int w = 0; w < 4; ++w) {
                block[8 * i + 2 * w] = factor(words[w] & 0xffffu);
                block[8 * i + 2 * w + 1] = factor(words[w] >> 16);
            }
        }
        std::copy_n(block, std::min<std::int64_t>(count - begin, 8 * kCounters), factors + begin);
    }
}

}  // namespace
}  // namespace temper::cpu
