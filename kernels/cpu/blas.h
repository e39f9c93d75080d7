// float32 products by OpenBLAS. Always called on one thread; callers keep the row law by asking for tiles of fixed shapes (linear_f32.cpp).
#pragma once
#include <cstdint>

namespace temper::cpu {

struct Matrix {
    const float* data = nullptr;
    std::int64_t stride = 0;
    bool transposed = false;
};

// OpenBLAS keeps to one thread from here on; multiply sees to it itself.
void use_one_thread();

// out (m, n) = alpha * left (m, k) right (k, n) + beta * out, row-major; a transposed operand is stored the other way round.
void multiply(float* out, std::int64_t out_stride, Matrix left, Matrix right, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
              float beta);

// out (m) = matrix (m, k) vector (k), which copies nothing where a product of matrices does.
void multiply_vector(float* out, const float* matrix, std::int64_t stride, const float* vector, std::int64_t m, std::int64_t k);

}  // namespace temper::cpu
