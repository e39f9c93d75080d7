#include "kernels/cpu/peak.h"

#include <algorithm>
#include <chrono>

#include "kernels/cpu/parallel.h"

namespace temper::cpu {
namespace {

double spin(Isa isa, long rounds) {
    switch (isa) {
        case Isa::scalar: return spin_scalar(rounds);
        case Isa::avx2: return spin_avx2(rounds);
        case Isa::avx512: return spin_avx512(rounds);
        case Isa::avx512_bf16: return spin_avx512_bf16(rounds);
        case Isa::amx: return spin_amx(rounds);
    }
    return 0.0;
}

// The instruction set of the float32 products of a machine with `isa`.
Isa float32_isa(Isa isa) { return isa == Isa::avx512_bf16 || isa == Isa::amx ? Isa::avx512 : isa; }

}  // namespace

double spin_scalar(long rounds) {
    float sums[8] = {};
    for (long i = 0; i < rounds; ++i)
        for (float& sum : sums) {
            sum = sum * 0.5f + 1.0f;
            __asm__ volatile("" : "+x"(sum));
        }
    return static_cast<double>(rounds) * 8 * 2;
}

// The best of several short loops, so that a neighbour's work on the machine does not count.
double peak_flops(Stream& stream, DType dtype) {
    constexpr int loops = 12;
    constexpr long rounds = 400000;
    const Isa isa = dtype == DType::f32 ? float32_isa(stream.isa()) : stream.isa();
    double best = 0.0;
    for (int loop = 0; loop < loops; ++loop) {
        const auto begin = std::chrono::steady_clock::now();
        parallel_for(stream, stream.threads(), [&](std::int64_t) { spin(isa, rounds); });
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        best = std::max(best, spin(isa, 1) * static_cast<double>(rounds) * stream.threads() / seconds);
    }
    return best;
}

}  // namespace temper::cpu
