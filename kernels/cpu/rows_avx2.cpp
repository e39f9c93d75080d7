#include "kernels/cpu/vector_avx2.h"

#include "kernels/cpu/rows_body.h"

namespace temper::cpu {

const RowKernels<float> rows_f32_avx2 = make_row_kernels<float>();
const RowKernels<std::uint16_t> rows_bf16_avx2 = make_row_kernels<std::uint16_t>();

}  // namespace temper::cpu
