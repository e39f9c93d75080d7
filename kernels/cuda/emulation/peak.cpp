// The rates of the emulation itself, so that what reports them has something to report.
#include "kernels/cuda/peak.h"

#include <chrono>

#include "kernels/cuda/gemm.h"
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

double peak_flops(Stream& stream, DType dtype) {
    constexpr std::int64_t kSize = 64;
    Arena arena(static_cast<std::size_t>(3 * kSize * kSize * size_of(DType::f32)), Memory::cuda);
    Product product;
    product.a = arena.take(dtype, {kSize, kSize});
    product.b = arena.take(dtype, {kSize, kSize});
    product.d = arena.take(dtype, {kSize, kSize});
    stream.cuda().fill_zero(arena.data(), arena.capacity());
    Stream own(std::make_unique<Context>(0), 1);  // a run's stream knows the run's products alone
    return 2.0 * kSize * kSize * kSize / seconds_of(own, [&] { multiply(own, product); });
}

double copy_bandwidth(Stream& stream) {
    constexpr std::size_t kBytes = 1 << 20;
    const Arena from(kBytes, Memory::cuda), to(kBytes, Memory::cuda);
    stream.cuda().fill_zero(from.data(), kBytes);
    return 2.0 * kBytes / seconds_of(stream, [&] { stream.cuda().copy_across(to.data(), from.data(), kBytes); });
}

}  // namespace temper::cuda
