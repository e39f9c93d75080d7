// Elementwise maps of whole rows, in place.
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/rows.h"

namespace temper::cuda {
namespace {

template <class T> struct Scale {
    RowsOf<T> x;
    Global<const float> factors;  // one a row, or none: `factor` for all
    std::int64_t width;
    float factor;

    __device__ void operator()(std::int64_t row, std::int64_t column) const {
        const float by = factors.empty() ? factor : factors[row];
        Eight numbers = x.load(row, column, width - column);
#pragma unroll
        for (int i = 0; i < kEight; ++i) numbers[i] = numbers[i] * by;
        x.store(row, column, numbers, width - column);
    }
};

struct Cap {
    RowsOf<float> x;
    std::int64_t width;
    float cap;

    __device__ void operator()(std::int64_t row, std::int64_t column) const {
        Eight numbers = x.load(row, column, width - column);
#pragma unroll
        for (int i = 0; i < kEight; ++i) numbers[i] = tanhf(numbers[i] / cap) * cap;
        x.store(row, column, numbers, width - column);
    }
};

void scale_by(Stream& stream, const View& x, Global<const float> factors, float factor) {
    for_floating(x.dtype, [&](auto number) {
        using T = decltype(number);
        map_rows(stream, Scale<T>{rows_of<T>(x), factors, x.size(1), factor}, x.size(0), x.size(1));
    });
}

}  // namespace

void scale_rows(Stream& stream, View x, Span<const float> factors) { scale_by(stream, x, upload(stream, factors), 1.0f); }
void scale(Stream& stream, View x, float factor) { scale_by(stream, x, {}, factor); }
void softcap(Stream& stream, View x, float cap) { map_rows(stream, Cap{rows_of<float>(x), x.size(1), cap}, x.size(0), x.size(1)); }

}  // namespace temper::cuda
