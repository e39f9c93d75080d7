// The rates of the emulation itself, so that what reports them has something to report.
#include "kernels/cuda/peak.h"

#include <chrono>
#include <vector>

#include "kernels/cuda/runtime.h"

namespace temper::cuda {
namespace {

// At least a nanosecond, so that a rate is a number.
template <class Work> double seconds_of(Stream& stream, const Work& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    stream.synchronize();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() + 1e-9;
}

}  // namespace

// Of plain sums on the host, as gemm.cpp's are: a run's stream knows the run's products alone.
double peak_flops(Stream& stream, DType /*dtype*/) {
    constexpr std::size_t kSize = 64;
    std::vector<float> a(kSize * kSize, 1.0f), b(kSize * kSize, 0.5f), d(kSize * kSize, 0.0f);
    const double seconds = seconds_of(stream, [&] {
        for (std::size_t i = 0; i < kSize; ++i)
            for (std::size_t k = 0; k < kSize; ++k)
                for (std::size_t j = 0; j < kSize; ++j) d[i * kSize + j] += a[i * kSize + k] * b[k * kSize + j];
    });
    // Every sum is 32; asking keeps the compiler from leaving them out.
    return (d[0] == 0.5f * kSize ? 2.0 : 0.0) * kSize * kSize * kSize / seconds;
}

double copy_bandwidth(Stream& stream) {
    constexpr std::size_t kBytes = 1 << 20;
    const Arena from(kBytes, Memory::cuda), to(kBytes, Memory::cuda);
    stream.cuda().fill_zero(from.data(), kBytes);
    return 2.0 * kBytes / seconds_of(stream, [&] { stream.cuda().copy_across(to.data(), from.data(), kBytes); });
}

}  // namespace temper::cuda
