// SwiGLU: activated = silu(gate) * up; overwrites its outputs, d_gate_up may lie on gate_up.
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/row_loop.h"
#include "kernels/cpu/rows.h"

namespace temper::cpu {
namespace {

template <class T> void forward(Stream& stream, View activated, View gate_up) {
    const RowKernels<T>& kernels = row_kernels<T>(stream.isa());
    const std::int64_t width = activated.size(1);
    for_rows(stream, activated.size(0), 3 * width, [&](std::int64_t i) {
        const T* gate = gate_up.row<T>(i);
        kernels.swiglu(activated.row<T>(i), gate, gate + width, width);
    });
}

template <class T> void backward(Stream& stream, View d_gate_up, View d_activated, View gate_up) {
    const RowKernels<T>& kernels = row_kernels<T>(stream.isa());
    const std::int64_t width = d_activated.size(1);
    for_rows(stream, d_activated.size(0), 5 * width, [&](std::int64_t i) {
        const T* gate = gate_up.row<T>(i);
        T* d_gate = d_gate_up.row<T>(i);
        kernels.swiglu_backward(d_gate, d_gate + width, d_activated.row<T>(i), gate, gate + width, width);
    });
}

}  // namespace

void swiglu(Stream& stream, View activated, View gate_up) {
    if (gate_up.dtype == DType::bf16) forward<bf16>(stream, activated, gate_up);
    else forward<float>(stream, activated, gate_up);
}

void swiglu_backward(Stream& stream, View d_gate_up, View d_activated, View gate_up) {
    if (gate_up.dtype == DType::bf16) backward<bf16>(stream, d_gate_up, d_activated, gate_up);
    else backward<float>(stream, d_gate_up, d_activated, gate_up);
}

}  // namespace temper::cpu
