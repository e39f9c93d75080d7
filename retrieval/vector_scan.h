// Whole search: first a product of each row that is wrong by a bounded amount, then the exact one of the rows that the bound leaves in question.
// Internal to retrieval/.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/similarity.h"
#include "retrieval/top_k.h"

namespace temper {

struct StoredVectors {
    const float* vectors = nullptr;  // (N, D)
    std::int64_t rows = 0, dimensions = 0;
    std::vector<double> inverse_lengths;  // (N); 0 where the length is
    // Of the rows over their lengths; empty until they are made.
    std::vector<std::int8_t> codes;    // (N, padded)
    std::vector<float> scales, losts;  // (N)
    float reach = 0;                   // at least every row's

    double inverse_length(std::int64_t row) const { return inverse_lengths[static_cast<std::size_t>(row)]; }
    double score(const float* unit_query, std::int64_t row) const {
        return similarity::dot(vectors + row * dimensions, unit_query, dimensions) * inverse_length(row);
    }
};

// The k best rows for each query (Q, D), of length 1 or 0; `keep` (N) may be null.
std::vector<std::vector<Scored>> scan_vectors(const StoredVectors& stored, const float* queries, std::int64_t query_count, std::int64_t k,
                                              const std::uint8_t* keep, int threads);

}  // namespace temper
