// Functions of single numbers, in place.
#include "kernels/cuda/activation.h"
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/rows.h"

namespace temper::cuda {
namespace {

// gelu(x) = max(x, 0) - t/2 erfc(t / sqrt 2), t = |x|, as kernels/cpu/encoder_rows_body.h has it; behind 30 erfc is 0 in float. A NaN stays.
struct GeluErf {
    __device__ static float of(float x) {
        const float t = fminf(fabsf(x), 30.0f);
        return fmaf(-0.5f * t, erfcf(t * 0.70710678f), x < 0.0f ? 0.0f : x);
    }
};
struct GeluTanh {
    __device__ static float of(float x) { return Gelu(x).value; }
};
struct Relu {
    __device__ static float of(float x) { return x < 0.0f ? 0.0f : x; }
};
struct Tanh {
    __device__ static float of(float x) { return tanhf(x); }
};

template <class T, class Function> struct Map {
    RowsOf<T> x;
    std::int64_t width;

    __device__ void operator()(std::int64_t row, std::int64_t column) const {
        Eight numbers = x.load(row, column, width - column);
#pragma unroll
        for (int i = 0; i < kEight; ++i) numbers[i] = Function::of(numbers[i]);
        x.store(row, column, numbers, width - column);
    }
};

template <class Function> void map(Stream& stream, const View& x) {
    for_floating(x.dtype, [&](auto number) {
        using T = decltype(number);
        map_rows(stream, Map<T, Function>{rows_of<T>(x), x.size(1)}, x.size(0), x.size(1));
    });
}

}  // namespace

void pointwise(Stream& stream, View x, Pointwise function) {
    switch (function) {
        case Pointwise::gelu: return map<GeluErf>(stream, x);
        case Pointwise::gelu_tanh: return map<GeluTanh>(stream, x);
        case Pointwise::relu: return map<Relu>(stream, x);
        case Pointwise::tanh: return map<Tanh>(stream, x);
    }
}

}  // namespace temper::cuda
