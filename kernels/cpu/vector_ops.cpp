// Ops on flat vectors: norm, sum, search. The block of a sum is fixed, so that threads change no bit.
#include <array>
#include <cmath>

#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/row_loop.h"

namespace temper::cpu {
namespace {

constexpr std::int64_t kBlock = 16384;

double sum_of_squares(const float* values, std::int64_t count) {
    std::array<double, 8> chains{};
    std::int64_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (std::size_t c = 0; c < 8; ++c) {
            const double x = values[i + static_cast<std::int64_t>(c)];
            chains[c] += x * x;
        }
    for (std::size_t c = 0; i < count; ++i, ++c) chains[c] += static_cast<double>(values[i]) * values[i];
    return ((chains[0] + chains[1]) + (chains[2] + chains[3])) + ((chains[4] + chains[5]) + (chains[6] + chains[7]));
}

bool finite(float value) { return std::isfinite(value); }
bool finite(bf16 value) { return (value & 0x7f80u) != 0x7f80u; }

template <class T> std::int64_t find_non_finite(Stream& stream, View values) {
    const std::int64_t rows = values.rank < 2 ? 1 : values.size(0), width = rows == 0 ? 0 : values.elements() / rows;
    const std::int64_t pieces = (width + kBlock - 1) / kBlock;
    auto* found = static_cast<std::int64_t*>(stream.scratch(static_cast<std::size_t>(rows * pieces) * sizeof(std::int64_t)));
    parallel_for(stream, rows * pieces, [=, &values](std::int64_t item) {
        const std::int64_t row = item / pieces, begin = item % pieces * kBlock, end = std::min(width, begin + kBlock);
        const T* x = values.as<T>() + row * (values.rank < 2 ? 0 : values.stride[0]);
        found[item] = -1;
        for (std::int64_t i = begin; i < end; ++i) {
            if (finite(x[i])) continue;
            found[item] = row * width + i;
            break;
        }
    });
    for (std::int64_t item = 0; item < rows * pieces; ++item)
        if (found[item] >= 0) return found[item];
    return -1;
}

}  // namespace

double global_norm(Stream& stream, View values) {
    const std::int64_t count = values.size(0), blocks = (count + kBlock - 1) / kBlock;
    auto* sums = static_cast<double*>(stream.scratch(static_cast<std::size_t>(blocks) * sizeof(double)));
    const float* x = values.as<float>();
    for_blocks(stream, count, kBlock, [=](std::int64_t begin, std::int64_t end) { sums[begin / kBlock] = sum_of_squares(x + begin, end - begin); });
    double total = 0;
    for (std::int64_t i = 0; i < blocks; ++i) total += sums[i];
    return std::sqrt(total);
}

void add(Stream& stream, View target, View source) {
    float* y = target.as<float>();
    const float* x = source.as<float>();
    for_blocks(stream, target.size(0), kBlock, [=](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) y[i] += x[i];
    });
}

std::int64_t first_non_finite(Stream& stream, View values) {
    return values.dtype == DType::bf16 ? find_non_finite<bf16>(stream, values) : find_non_finite<float>(stream, values);
}

}  // namespace temper::cpu
