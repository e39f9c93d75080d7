#include "kernels/cpu/blas.h"

#include <cblas.h>

namespace temper::cpu {
void use_one_thread() {
    static const bool once = [] {
        openblas_set_num_threads(1);
        return true;
    }();
    static_cast<void>(once);
}

void multiply(float* out, std::int64_t out_stride, Matrix left, Matrix right, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
              float beta) {
    use_one_thread();
    if (m == 0 || n == 0) return;
    cblas_sgemm(CblasRowMajor, left.transposed ? CblasTrans : CblasNoTrans, right.transposed ? CblasTrans : CblasNoTrans, static_cast<blasint>(m),
                static_cast<blasint>(n), static_cast<blasint>(k), alpha, left.data, static_cast<blasint>(left.stride), right.data,
                static_cast<blasint>(right.stride), beta, out, static_cast<blasint>(out_stride));
}

void multiply_vector(float* out, const float* matrix, std::int64_t stride, const float* vector, std::int64_t m, std::int64_t k) {
    use_one_thread();
    if (m == 0) return;
    cblas_sgemv(CblasRowMajor, CblasNoTrans, static_cast<blasint>(m), static_cast<blasint>(k), 1.0f, matrix, static_cast<blasint>(stride), vector, 1,
                0.0f, out, 1);
}

}  // namespace temper::cpu
