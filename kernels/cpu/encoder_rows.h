// What the ops of encoders do to one row, per instruction set, as rows.h has it for all models. T is float or std::uint16_t (bf16 storage).
#pragma once
#include <cstdint>

namespace temper {
enum class Isa : std::uint8_t;
}  // namespace temper

namespace temper::cpu {

template <class T> struct EncoderRows {
    // y = (z - mean z) / sqrt(var z + epsilon) * weight + bias, z = x + residual (null: x), n numbers. y may be x or residual.
    void (*layer_norm)(T* y, const T* x, const float* weight, const float* bias, const T* residual, std::int64_t n, float epsilon);
    // x = function(x), by the number of a Pointwise.
    void (*pointwise[4])(T* x, std::int64_t n);
    // out = rows[0] + rows[1] + ..., added in float.
    void (*sum)(T* out, const T* const* rows, std::int64_t count, std::int64_t n);
    // sums = sums + factor * x.
    void (*accumulate)(float* sums, const T* x, std::int64_t n, float factor);
    // tops = max(tops, x); a NaN of x stays.
    void (*raise)(float* tops, const T* x, std::int64_t n);
    // x = x / max(|x|, 1e-12).
    void (*normalize)(T* x, std::int64_t n);
};

template <class T> const EncoderRows<T>& encoder_rows(Isa isa);
template <> const EncoderRows<float>& encoder_rows<float>(Isa isa);
template <> const EncoderRows<std::uint16_t>& encoder_rows<std::uint16_t>(Isa isa);

// The tables behind encoder_rows.
extern const EncoderRows<float> encoder_f32_scalar, encoder_f32_avx2, encoder_f32_avx512;
extern const EncoderRows<std::uint16_t> encoder_bf16_scalar, encoder_bf16_avx2, encoder_bf16_avx512;

}  // namespace temper::cpu
