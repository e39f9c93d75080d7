// Gated linear units: activated = silu(gate) * up, or gelu(gate) * up; overwrite their outputs, d_gate_up may lie on gate_up.   [Shazeer 2020]
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/row_loop.h"
#include "kernels/cpu/rows.h"

namespace temper::cpu {
namespace {

template <class T> void forward(Stream& stream, View activated, View gate_up, decltype(RowKernels<T>::swiglu) kernel) {
    const std::int64_t width = activated.size(1);
    for_rows(stream, activated.size(0), 3 * width, [&](std::int64_t i) {
        const T* gate = gate_up.row<T>(i);
        kernel(activated.row<T>(i), gate, gate + width, width);
    });
}

template <class T> void backward(Stream& stream, View d_gate_up, View d_activated, View gate_up, decltype(RowKernels<T>::swiglu_backward) kernel) {
    const std::int64_t width = d_activated.size(1);
    for_rows(stream, d_activated.size(0), 5 * width, [&](std::int64_t i) {
        const T* gate = gate_up.row<T>(i);
        T* d_gate = d_gate_up.row<T>(i);
        kernel(d_gate, d_gate + width, d_activated.row<T>(i), gate, gate + width, width);
    });
}

}  // namespace

void swiglu(Stream& stream, View activated, View gate_up) {
    if (gate_up.dtype == DType::bf16) forward<bf16>(stream, activated, gate_up, row_kernels<bf16>(stream.isa()).swiglu);
    else forward<float>(stream, activated, gate_up, row_kernels<float>(stream.isa()).swiglu);
}

void swiglu_backward(Stream& stream, View d_gate_up, View d_activated, View gate_up) {
    if (gate_up.dtype == DType::bf16) backward<bf16>(stream, d_gate_up, d_activated, gate_up, row_kernels<bf16>(stream.isa()).swiglu_backward);
    else backward<float>(stream, d_gate_up, d_activated, gate_up, row_kernels<float>(stream.isa()).swiglu_backward);
}

void geglu(Stream& stream, View activated, View gate_up) {
    if (gate_up.dtype == DType::bf16) forward<bf16>(stream, activated, gate_up, row_kernels<bf16>(stream.isa()).geglu);
    else forward<float>(stream, activated, gate_up, row_kernels<float>(stream.isa()).geglu);
}

void geglu_backward(Stream& stream, View d_gate_up, View d_activated, View gate_up) {
    if (gate_up.dtype == DType::bf16) backward<bf16>(stream, d_gate_up, d_activated, gate_up, row_kernels<bf16>(stream.isa()).geglu_backward);
    else backward<float>(stream, d_gate_up, d_activated, gate_up, row_kernels<float>(stream.isa()).geglu_backward);
}

}  // namespace temper::cpu
