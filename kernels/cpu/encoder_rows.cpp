#include "kernels/cpu/encoder_rows.h"

#include "kernels/stream.h"

#include "kernels/cpu/vector_scalar.h"

#include "kernels/cpu/encoder_rows_body.h"

namespace temper::cpu {

const EncoderRows<float> encoder_f32_scalar = make_encoder_rows<float>();
const EncoderRows<bf16> encoder_bf16_scalar = make_encoder_rows<bf16>();

template <> const EncoderRows<float>& encoder_rows<float>(Isa isa) {
    if (isa == Isa::scalar) return encoder_f32_scalar;
    return isa == Isa::avx2 ? encoder_f32_avx2 : encoder_f32_avx512;
}

template <> const EncoderRows<bf16>& encoder_rows<bf16>(Isa isa) {
    if (isa == Isa::scalar) return encoder_bf16_scalar;
    return isa == Isa::avx2 ? encoder_bf16_avx2 : encoder_bf16_avx512;
}

}  // namespace temper::cpu
