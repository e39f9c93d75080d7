#include "kernels/cpu/dropout_body.h"

namespace temper::cpu {

void mask_factors_avx2(float* factors, std::int64_t first, std::int64_t count, const MaskRow& mask) {
    mask_factors_body(factors, first, count, mask);
}

}  // namespace temper::cpu
