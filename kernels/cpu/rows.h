// What ops do to one row, per instruction set: called by the ops of this folder and by the epilogues of linear, so that a fused and a separate
// computation give the same bits. Rows are plain pointers; T is float or std::uint16_t (bf16 storage), arithmetic is float.
#pragma once
#include <cstdint>

namespace temper {
enum class Isa : std::uint8_t;
}  // namespace temper

namespace temper::cpu {

template <class T> struct RowKernels {
    // y = x / sqrt(mean(x^2) + epsilon) * weight + residual (null: none), n numbers. y may be x or residual.
    void (*rms_norm)(T* y, const T* x, const float* weight, const T* residual, std::int64_t n, float epsilon);
    // d_x = gradient through the norm + d_residual (null: none). d_x may be d_y or d_residual.
    void (*rms_norm_backward)(T* d_x, const T* d_y, const T* x, const float* weight, const T* d_residual, std::int64_t n, float epsilon);
    // Rotates the first 2 * pairs numbers of `heads` heads of d numbers in place by the cosines and sines of one position; sign -1 undoes it.
    void (*rope)(T* x, const float* cosine, const float* sine, std::int64_t heads, std::int64_t d, std::int64_t pairs, float sign);
    // activated[i] = silu(gate[i]) * up[i], n numbers.
    void (*swiglu)(T* activated, const T* gate, const T* up, std::int64_t n);
    // d_gate and d_up may be gate and up.
    void (*swiglu_backward)(T* d_gate, T* d_up, const T* d_activated, const T* gate, const T* up, std::int64_t n);
    // The same with gelu by its tanh formula in silu's place.
    void (*geglu)(T* activated, const T* gate, const T* up, std::int64_t n);
    void (*geglu_backward)(T* d_gate, T* d_up, const T* d_activated, const T* gate, const T* up, std::int64_t n);
    // x = x * factor.
    void (*scale)(T* x, std::int64_t n, float factor);
    // y = x + residual, x still in float. y may be residual.
    void (*add_residual)(T* y, const float* x, const T* residual, std::int64_t n);
    // y = x in storage precision.
    void (*narrow)(T* y, const float* x, std::int64_t n);
    // y = x as float.
    void (*widen)(float* y, const T* x, std::int64_t n);
};

template <class T> const RowKernels<T>& row_kernels(Isa isa);
template <> const RowKernels<float>& row_kernels<float>(Isa isa);
template <> const RowKernels<std::uint16_t>& row_kernels<std::uint16_t>(Isa isa);

// The tables behind row_kernels.
extern const RowKernels<float> rows_f32_scalar, rows_f32_avx2, rows_f32_avx512;
extern const RowKernels<std::uint16_t> rows_bf16_scalar, rows_bf16_avx2, rows_bf16_avx512;

}  // namespace temper::cpu
