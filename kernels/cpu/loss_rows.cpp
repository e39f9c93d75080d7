#include "kernels/cpu/loss_rows.h"

#include "kernels/cpu/vector_scalar.h"

#include "kernels/cpu/loss_rows_body.h"
#include "kernels/stream.h"

namespace temper::cpu {

const LossKernels loss_scalar = make_loss_kernels();

const LossKernels& loss_kernels(Isa isa) {
    if (isa == Isa::scalar) return loss_scalar;
    return isa == Isa::avx2 ? loss_avx2 : loss_avx512;
}

}  // namespace temper::cpu
