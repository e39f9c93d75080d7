#include "kernels/cpu/vector_avx2.h"

#include "kernels/cpu/encoder_rows_body.h"

namespace temper::cpu {

const EncoderRows<float> encoder_f32_avx2 = make_encoder_rows<float>();
const EncoderRows<std::uint16_t> encoder_bf16_avx2 = make_encoder_rows<std::uint16_t>();

}  // namespace temper::cpu
