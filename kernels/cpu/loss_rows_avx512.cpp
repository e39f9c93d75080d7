#include "kernels/cpu/vector_avx512.h"

#include "kernels/cpu/loss_rows_body.h"

namespace temper::cpu {

const LossKernels loss_avx512 = make_loss_kernels();

}  // namespace temper::cpu
