// float32 products on the calling thread. OpenBLAS does not do for those of matrices: on some processors (its kernels for Haswell and Zen) a row's bits
// depend on its place among the others.
#pragma once
#include <cstdint>

namespace temper::cpu {

struct Matrix {
    const float* data = nullptr;
    std::int64_t stride = 0;
    bool transposed = false;
};

// OpenBLAS keeps to one thread from here on; multiply_vector sees to it itself.
void use_one_thread();

// out (m, n) = left (m, k) (alpha * right (k, n)) + beta * out, row-major; a transposed operand is stored the other way round. Row law: an element is
// chains of multiply-adds over 512 of k each, added up in their order, wherever its row and column stand. The processor's best instructions.
void multiply(float* out, std::int64_t out_stride, Matrix left, Matrix right, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
              float beta);

// out (m) = matrix (m, k) vector (k) by OpenBLAS, in an order of its own; it copies nothing, which a product of matrices does.
void multiply_vector(float* out, const float* matrix, std::int64_t stride, const float* vector, std::int64_t m, std::int64_t k);

}  // namespace temper::cpu
