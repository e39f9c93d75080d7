#include "kernels/cpu/similarity.h"

#include <algorithm>
#include <cmath>

namespace temper::similarity {
namespace {

template <class T, class U> std::int32_t sum_of_products(const T* a, const U* b, std::int64_t count) {
    std::int32_t sum = 0;
    for (std::int64_t i = 0; i < count; ++i) sum += std::int32_t(a[i]) * std::int32_t(b[i]);
    return sum;
}

void products(std::int32_t* out, const std::int8_t* rows, std::int64_t count, std::int64_t padded, const std::int16_t* query) {
    for (std::int64_t n = 0; n < count; ++n) out[n] = sum_of_products(rows + n * padded, query, padded);
}

std::int32_t product(const std::int8_t* a, const std::int8_t* b, std::int64_t padded) { return sum_of_products(a, b, padded); }

// The bounds are computed from the codes as they are, so that how they were rounded does not matter.
template <class T> Code encode_within(T* codes, const float* x, std::int64_t dimensions, float limit) {
    float largest = 0;
    for (std::int64_t i = 0; i < dimensions; ++i) largest = std::max(largest, std::abs(x[i]));
    const float scale = largest / limit, inverse = scale > 0 && std::isfinite(1 / scale) ? 1 / scale : 0;
    double lost = 0, reach = 0;
    for (std::int64_t i = 0; i < dimensions; ++i) {
        const float place = std::clamp(x[i] * inverse, -limit, limit);
        codes[i] = static_cast<T>(place + (place < 0 ? -0.5f : 0.5f));
        const double kept = static_cast<double>(scale) * codes[i], left = x[i] - kept;
        lost += left * left;
        reach += kept * kept;
    }
    std::fill(codes + dimensions, codes + padded(dimensions), T(0));
    constexpr double above = 1.000001;  // of float64's rounding and that to float32
    return {scale, static_cast<float>(std::sqrt(lost) * above), static_cast<float>(std::sqrt(reach) * above)};
}

Code encode_row(std::int8_t* codes, const float* x, std::int64_t dimensions) { return encode_within(codes, x, dimensions, 127.0f); }

}  // namespace

const Kernels scalar_kernels{encode_row, products, product};

Kernels kernels_for(Isa isa) { return isa >= Isa::avx512 ? avx512_kernels : isa >= Isa::avx2 ? avx2_kernels : scalar_kernels; }

double dot(const float* x, const float* y, std::int64_t dimensions) {
    constexpr std::int64_t lanes = 8;
    double sums[lanes] = {};
    std::int64_t i = 0;
    for (; i + lanes <= dimensions; i += lanes)
        for (std::int64_t lane = 0; lane < lanes; ++lane) sums[lane] += static_cast<double>(x[i + lane]) * static_cast<double>(y[i + lane]);
    for (; i < dimensions; ++i) sums[i % lanes] += static_cast<double>(x[i]) * static_cast<double>(y[i]);
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

Code encode_query(std::int16_t* codes, const float* x, std::int64_t dimensions) { return encode_within(codes, x, dimensions, 2047.0f); }

}  // namespace temper::similarity
