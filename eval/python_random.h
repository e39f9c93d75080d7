// CPython's random.Random, number for number: what lm-evaluation-harness draws few-shot examples and bootstrap resamples with.
// Mersenne Twister MT19937                                                        [Matsumoto & Nishimura 1998; CPython 3.11: Modules/_randommodule.c]
#pragma once
#include <array>
#include <cstdint>
#include <vector>

namespace temper {

class PythonRandom {
  public:
    explicit PythonRandom(std::uint64_t seed);

    std::uint32_t next();                                                 // 32 bits
    double random();                                                      // [0, 1) with 53 bits
    std::uint64_t below(std::uint64_t n);                                 // uniform in [0, n), n > 0
    void choices(std::int64_t n, std::int64_t k, std::int64_t* indices);  // k of n with replacement, as choices(range(n), k=k)
    std::vector<std::int64_t> sample(std::int64_t n, std::int64_t k);     // k of n without, as sample(range(n), k); k <= n
    template <class T> void shuffle(std::vector<T>& items) {
        for (std::size_t i = items.size(); i-- > 1;) std::swap(items[i], items[below(i + 1)]);
    }

  private:
    static constexpr std::size_t size = 624, middle = 397;
    void refill();

    std::array<std::uint32_t, size> state_{};
    std::size_t index_ = size;
};

}  // namespace temper
