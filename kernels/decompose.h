// Dense factorisations of a weight, for adapters that start from it: LAPACK on one thread, so that they do not depend on threads.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/tensor.h"

namespace temper {

// w = left right over its largest singular values S, as far as `count` goes: left = U sqrt(S), right = sqrt(S) V^T, row-major.
struct Factors {
    std::vector<float> left, right;  // (rows, count), (count, columns)
    std::vector<double> values;      // S, falling
};
// Exact, in double, from the eigenvectors of the smaller of w w^T and w^T w.
Factors largest_singular(View w /*(rows, columns) f32*/, std::int64_t count);
// By subspace iterations from a random start, a pure function of (seed, stream).                    [Halko et al. 2011, 4.4 and 5.1]
Factors approximate_singular(View w /*(rows, columns) f32*/, std::int64_t count, std::int64_t iterations, std::uint64_t seed, std::uint64_t stream);
// The first `count` columns of Q and rows of R of w = Q R, with the signs of LAPACK.
Factors leading_qr(View w /*(rows, columns) f32*/, std::int64_t count);

}  // namespace temper
