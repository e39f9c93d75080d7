#include "eval/python_random.h"

#include <bit>
#include <cmath>
#include <numeric>
#include <set>

namespace temper {

// init_by_array of the seed's 32-bit words, least significant first.
PythonRandom::PythonRandom(std::uint64_t seed) {
    std::vector<std::uint32_t> key{static_cast<std::uint32_t>(seed)};
    if (seed >> 32 != 0) key.push_back(static_cast<std::uint32_t>(seed >> 32));
    state_[0] = 19650218u;
    for (std::size_t i = 1; i < size; ++i) state_[i] = 1812433253u * (state_[i - 1] ^ (state_[i - 1] >> 30)) + static_cast<std::uint32_t>(i);
    std::size_t i = 1, j = 0;
    const auto step = [&] {
        if (++i < size) return;
        state_[0] = state_[size - 1];
        i = 1;
    };
    for (std::size_t k = 0; k < size; ++k) {  // a key is never longer than the state
        state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1664525u)) + key[j] + static_cast<std::uint32_t>(j);
        j = (j + 1) % key.size();
        step();
    }
    for (std::size_t k = 0; k + 1 < size; ++k) {
        state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1566083941u)) - static_cast<std::uint32_t>(i);
        step();
    }
    state_[0] = 0x80000000u;
}

void PythonRandom::refill() {
    for (std::size_t i = 0; i < size; ++i) {
        const std::uint32_t y = (state_[i] & 0x80000000u) | (state_[(i + 1) % size] & 0x7fffffffu);
        state_[i] = state_[(i + middle) % size] ^ (y >> 1) ^ ((y & 1u) != 0 ? 0x9908b0dfu : 0u);
    }
    index_ = 0;
}

std::uint32_t PythonRandom::next() {
    if (index_ == size) refill();
    std::uint32_t y = state_[index_++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

double PythonRandom::random() {
    const std::uint32_t a = next() >> 5, b = next() >> 6;
    return (static_cast<double>(a) * 67108864.0 + static_cast<double>(b)) * (1.0 / 9007199254740992.0);
}

// As many bits as n has, drawn until they make a number below it.
std::uint64_t PythonRandom::below(std::uint64_t n) {
    const int bits = static_cast<int>(std::bit_width(n));
    for (;;) {
        std::uint64_t drawn = next();
        if (bits <= 32) drawn >>= 32 - bits;
        else drawn |= static_cast<std::uint64_t>(next() >> (64 - bits)) << 32;
        if (drawn < n) return drawn;
    }
}

void PythonRandom::choices(std::int64_t n, std::int64_t k, std::int64_t* indices) {
    const double count = static_cast<double>(n);
    for (std::int64_t i = 0; i < k; ++i) indices[i] = static_cast<std::int64_t>(std::floor(random() * count));
}

// From a pool that shrinks where that is smaller than a set of those taken, as CPython decides.
std::vector<std::int64_t> PythonRandom::sample(std::int64_t n, std::int64_t k) {
    std::vector<std::int64_t> result(static_cast<std::size_t>(k));
    double set_size = 21.0;
    if (k > 5) set_size += std::pow(4.0, std::ceil(std::log(static_cast<double>(k * 3)) / std::log(4.0)));
    if (static_cast<double>(n) <= set_size) {
        std::vector<std::int64_t> pool(static_cast<std::size_t>(n));
        std::iota(pool.begin(), pool.end(), 0);
        for (std::int64_t i = 0; i < k; ++i) {
            const std::uint64_t j = below(static_cast<std::uint64_t>(n - i));
            result[static_cast<std::size_t>(i)] = pool[j];
            pool[j] = pool[static_cast<std::size_t>(n - i - 1)];
        }
        return result;
    }
    std::set<std::int64_t> taken;
    for (std::int64_t& drawn : result) {
        do drawn = static_cast<std::int64_t>(below(static_cast<std::uint64_t>(n)));
        while (!taken.insert(drawn).second);
    }
    return result;
}

}  // namespace temper
