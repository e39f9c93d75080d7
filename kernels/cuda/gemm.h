// Matrix products on the device: gemm_cublas.cpp asks cuBLASLt, emulation/gemm.cpp is the plain twin.
// Row law: a row of D is one sum over the depth in an order that the shape (columns, depth) alone decides, never the number of rows, nor where the
// row stands among them.
#pragma once
#include <cstdint>
#include <string>

#include "kernels/stream.h"
#include "kernels/tensor.h"

namespace temper::cuda {

// d (m, n) = alpha * a b + c + bias, sums in float32, rounded once. a and b have one dtype, bfloat16 or float32 (then every product is float32's
// own); d has that dtype or float32.
// Every view begins at a multiple of 16 bytes, and so do its rows (is_aligned).
struct Product {
    View d;
    View a;     // (m, k), or (k, m) where a_transposed
    View b;     // (k, n), or (n, k) where b_transposed
    View c;     // (m, n) of d's dtype, or none; may be d
    View bias;  // (n) of d's dtype, or none
    bool a_transposed = false, b_transposed = false;
    float alpha = 1.0f;
    // The depth that the choice of an algorithm is made for, where it is not k: a weight with and without its adapters, whose border is zero, or
    // a depth that is a number of tokens. -1: k.
    std::int64_t chosen_depth = -1;
};

void multiply(Stream& stream, const Product& product);
std::size_t product_bytes();  // device memory that the first product takes, for good

inline std::int64_t stride_of(const View& view) { return view.empty() ? 0 : view.row_stride(); }

inline bool is_aligned(const View& view) {
    if (view.empty()) return true;
    const std::int64_t row_bytes = view.row_stride() * size_of(view.dtype);
    return reinterpret_cast<std::uintptr_t>(view.data) % 16 == 0 && (view.rank < 2 || view.size(0) < 2 || row_bytes % 16 == 0);
}

}  // namespace temper::cuda
