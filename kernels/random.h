// Counter-based random numbers: a pure function of (seed, stream, index), so that nothing has to be stored or replayed.
// Philox4x32-10                                                                          [Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"]
#pragma once
#include <array>
#include <cstdint>

namespace temper {

inline std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
    std::array<std::uint32_t, 4> counter{static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                                         static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)};
    std::uint32_t key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter[0];
        const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * counter[2];
        counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(product1),
                   static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(product0)};
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return counter;
}

// Uniform in [0, 1) with 24 bits.
inline float uniform(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
    return static_cast<float>(philox(seed, stream, index >> 2)[index & 3] >> 8) * 0x1p-24f;
}

}  // namespace temper
