#include "kernels/cpu/rows.h"

#include "kernels/stream.h"

#include "kernels/cpu/vector_scalar.h"

#include "kernels/cpu/rows_body.h"

namespace temper::cpu {

const RowKernels<float> rows_f32_scalar = make_row_kernels<float>();
const RowKernels<bf16> rows_bf16_scalar = make_row_kernels<bf16>();

template <> const RowKernels<float>& row_kernels<float>(Isa isa) {
    if (isa == Isa::scalar) return rows_f32_scalar;
    return isa == Isa::avx2 ? rows_f32_avx2 : rows_f32_avx512;
}

template <> const RowKernels<bf16>& row_kernels<bf16>(Isa isa) {
    if (isa == Isa::scalar) return rows_bf16_scalar;
    return isa == Isa::avx2 ? rows_bf16_avx2 : rows_bf16_avx512;
}

}  // namespace temper::cpu
