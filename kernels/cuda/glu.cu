// Gated linear units: activated = silu(gate) * up, or gelu(gate) * up; overwrite their outputs, d_gate_up may lie on gate_up.   [Shazeer 2020]
#include "kernels/cuda/activation.h"
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/rows.h"

namespace temper::cuda {
namespace {

template <class T, class Activation> struct Forward {
    RowsOf<T> activated;
    RowsOf<const T> gate, up;
    std::int64_t width;

    __device__ void operator()(std::int64_t row, std::int64_t column) const {
        const std::int64_t left = width - column;
        const Eight g = gate.load(row, column, left);
        Eight u = up.load(row, column, left);
#pragma unroll
        for (int i = 0; i < kEight; ++i) u[i] = Activation(g[i]).value * u[i];
        activated.store(row, column, u, left);
    }
};

template <class T, class Activation> struct Backward {
    RowsOf<T> d_gate, d_up;
    RowsOf<const T> d_activated, gate, up;
    std::int64_t width;

    __device__ void operator()(std::int64_t row, std::int64_t column) const {
        const std::int64_t left = width - column;
        Eight g = gate.load(row, column, left), u = up.load(row, column, left);
        const Eight d = d_activated.load(row, column, left);
#pragma unroll
        for (int i = 0; i < kEight; ++i) {
            const Activation activation(g[i]);
            g[i] = d[i] * u[i] * activation.slope;
            u[i] = d[i] * activation.value;
        }
        d_gate.store(row, column, g, left);
        d_up.store(row, column, u, left);
    }
};

template <class Activation> void forward(Stream& stream, const View& activated, const View& gate_up) {
    const std::int64_t width = activated.size(1);
    const View gate = gate_up.columns(0, width), up = gate_up.columns(width, width);
    for_floating(gate_up.dtype, [&](auto number) {
        using T = decltype(number);
        map_rows(stream, Forward<T, Activation>{rows_of<T>(activated), rows_of<const T>(gate), rows_of<const T>(up), width}, activated.size(0),
                 width);
    });
}

template <class Activation> void backward(Stream& stream, const View& d_gate_up, const View& d_activated, const View& gate_up) {
    const std::int64_t width = d_activated.size(1);
    const View gate = gate_up.columns(0, width), up = gate_up.columns(width, width);
    const View d_gate = d_gate_up.columns(0, width), d_up = d_gate_up.columns(width, width);
    for_floating(gate_up.dtype, [&](auto number) {
        using T = decltype(number);
        map_rows(stream,
                 Backward<T, Activation>{rows_of<T>(d_gate), rows_of<T>(d_up), rows_of<const T>(d_activated), rows_of<const T>(gate),
                                         rows_of<const T>(up), width},
                 d_activated.size(0), width);
    });
}

}  // namespace

void swiglu(Stream& stream, View activated, View gate_up) { forward<Silu>(stream, activated, gate_up); }
void swiglu_backward(Stream& stream, View d_gate_up, View d_activated, View gate_up) { backward<Silu>(stream, d_gate_up, d_activated, gate_up); }
void geglu(Stream& stream, View activated, View gate_up) { forward<Gelu>(stream, activated, gate_up); }
void geglu_backward(Stream& stream, View d_gate_up, View d_activated, View gate_up) { backward<Gelu>(stream, d_gate_up, d_activated, gate_up); }

}  // namespace temper::cuda
