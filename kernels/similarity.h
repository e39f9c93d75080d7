// Inner products of one vector with many that are stored, as an index of vectors asks for them: a first pass over int8 copies, a quarter of the
// memory to read, whose error is bounded, and the product itself. On the CPU.
#pragma once
#include <cstdint>

#include "kernels/stream.h"

namespace temper::similarity {

// Rows of int8 are this many numbers apart at least, zeros behind the vector's own: loops have no tails.
constexpr std::int64_t row_multiple = 64;
inline std::int64_t padded(std::int64_t dimensions) { return (dimensions + row_multiple - 1) / row_multiple * row_multiple; }

// sum of x[i] y[i] (D): exact products, added in float64 in one order on every processor.
double dot(const float* x, const float* y, std::int64_t dimensions);

// x ≈ scale * codes, and by how much not: lost ≥ |x - scale * codes|, reach ≥ |scale * codes| (Euclidean).
struct Code {
    float scale = 0, lost = 0, reach = 0;
};
// Codes within ±2047, of a query; the variants have rows of ±127. Codes and scales are the same in every variant, the bounds differ in their last digits.
Code encode_query(std::int16_t* codes /*(padded(D))*/, const float* x /*(D)*/, std::int64_t dimensions);
using Encode = Code (*)(std::int8_t* codes /*(padded(D))*/, const float* x /*(D)*/, std::int64_t dimensions);

// out[n] = sum over D of rows[n][d] * query[d]; exact in int32 up to 8,192 dimensions.
using Products = void (*)(std::int32_t* out /*(N)*/, const std::int8_t* rows /*(N, padded)*/, std::int64_t count, std::int64_t padded,
                          const std::int16_t* query /*(padded)*/);
// The same of two rows.
using Product = std::int32_t (*)(const std::int8_t* a, const std::int8_t* b, std::int64_t padded);
struct Kernels {
    Encode encode;
    Products products;
    Product product;
};
Kernels kernels_for(Isa isa);
constexpr std::int64_t max_dimensions = 8192;

}  // namespace temper::similarity
